"""The publishers' names for the things that the scenes hold, and the publishers' own lists of names.

Sources: COCO's category list, Open Images' class descriptions, BDD100K's detection classes, and ADE20K's lists of 150
(`objectInfo150.txt`) and 100 (instance challenge) names. A thing that a publisher does not annotate is absent.
"""

_OBJECT_NAMES = (
    "wall, building, sky, floor, tree, ceiling, road, bed, windowpane, grass, cabinet, sidewalk, person, "
    "earth, door, table, mountain, plant, curtain, chair, car, water, painting, sofa, shelf, house, sea, "
    "mirror, rug, field, armchair, seat, fence, desk, rock, wardrobe, lamp, bathtub, railing, cushion, "
    "base, box, column, signboard, chest of drawers, counter, sand, sink, skyscraper, fireplace, "
    "refrigerator, grandstand, path, stairs, runway, case, pool table, pillow, screen door, stairway, "
    "river, bridge, bookcase, blind, coffee table, toilet, flower, book, hill, bench, countertop, stove, "
    "palm, kitchen island, computer, swivel chair, boat, bar, arcade machine, hovel, bus, towel, light, "
    "truck, tower, chandelier, awning, streetlight, booth, television receiver, airplane, dirt track, "
    "apparel, pole, land, bannister, escalator, ottoman, bottle, buffet, poster, stage, van, ship, "
    "fountain, conveyer belt, canopy, washer, plaything, swimming pool, stool, barrel, basket, waterfall, "
    "tent, bag, minibike, cradle, oven, ball, food, step, tank, trade name, microwave, pot, animal, "
    "bicycle, lake, dishwasher, screen, blanket, sculpture, hood, sconce, vase, traffic light, tray, "
    "ashcan, fan, pier, crt screen, plate, monitor, bulletin board, shower, radiator, glass, clock, flag"
)
_INSTANCE_NAMES = (
    "bed, windowpane, cabinet, person, door, table, curtain, chair, car, painting, sofa, shelf, mirror, "
    "armchair, seat, fence, desk, wardrobe, lamp, bathtub, railing, cushion, box, column, signboard, "
    "chest of drawers, counter, sink, fireplace, refrigerator, stairs, case, pool table, pillow, screen "
    "door, bookcase, coffee table, toilet, flower, book, bench, countertop, stove, palm, kitchen island, "
    "computer, swivel chair, boat, arcade machine, bus, towel, light, truck, chandelier, awning, "
    "streetlight, booth, television receiver, airplane, apparel, pole, bannister, ottoman, bottle, van, "
    "ship, fountain, washer, plaything, stool, barrel, basket, bag, minibike, oven, ball, food, step, "
    "trade name, microwave, pot, animal, bicycle, dishwasher, screen, sculpture, hood, sconce, vase, "
    "traffic light, tray, ashcan, fan, plate, monitor, bulletin board, radiator, glass, clock, flag"
)

COCO_CATEGORIES: tuple[tuple[int, str, str], ...] = tuple(
    (int(number), group, name)
    for group, members in {
        "person": "1 person",
        "vehicle": "2 bicycle, 3 car, 4 motorcycle, 5 airplane, 6 bus, 7 train, 8 truck, 9 boat",
        "outdoor": "10 traffic light, 11 fire hydrant, 13 stop sign, 14 parking meter, 15 bench",
        "animal": "16 bird, 17 cat, 18 dog, 19 horse, 20 sheep, 21 cow, 22 elephant, 23 bear, 24 zebra, 25 giraffe",
        "accessory": "27 backpack, 28 umbrella, 31 handbag, 32 tie, 33 suitcase",
        "sports": "34 frisbee, 35 skis, 36 snowboard, 37 sports ball, 38 kite, 39 baseball bat, 40 baseball glove, "
        "41 skateboard, 42 surfboard, 43 tennis racket",
        "kitchen": "44 bottle, 46 wine glass, 47 cup, 48 fork, 49 knife, 50 spoon, 51 bowl",
        "food": "52 banana, 53 apple, 54 sandwich, 55 orange, 56 broccoli, 57 carrot, 58 hot dog, 59 pizza, "
        "60 donut, 61 cake",
        "furniture": "62 chair, 63 couch, 64 potted plant, 65 bed, 67 dining table, 70 toilet",
        "electronic": "72 tv, 73 laptop, 74 mouse, 75 remote, 76 keyboard, 77 cell phone",
        "appliance": "78 microwave, 79 oven, 80 toaster, 81 sink, 82 refrigerator",
        "indoor": "84 book, 85 clock, 86 vase, 87 scissors, 88 teddy bear, 89 hair drier, 90 toothbrush",
    }.items()
    for number, _, name in (member.partition(" ") for member in members.split(", "))
)
"""Id, supercategory and name of COCO's 80 categories."""

ADE20K_OBJECTS: tuple[str, ...] = tuple(_OBJECT_NAMES.split(", "))
"""ADE20K's 150 names by the value in the semantic masks, from 1."""

ADE20K_INSTANCES: tuple[str, ...] = tuple(_INSTANCE_NAMES.split(", "))
"""The 100 of them that the instance masks hold, by the value of the red channel, from 1."""

COCO: dict[str, str] = {name: name for _, _, name in COCO_CATEGORIES} | {"crowd": "person", "rider": "person"}
"""The COCO category by thing."""

OPEN_IMAGES: dict[str, str] = {
    "apple": "Apple",
    "backpack": "Backpack",
    "banana": "Banana",
    "bed": "Bed",
    "bench": "Bench",
    "bicycle": "Bicycle",
    "bird": "Bird",
    "book": "Book",
    "bottle": "Bottle",
    "bowl": "Bowl",
    "bus": "Bus",
    "cabinet": "Cabinetry",
    "cake": "Cake",
    "car": "Car",
    "cat": "Cat",
    "chair": "Chair",
    "clock": "Clock",
    "couch": "Couch",
    "crowd": "Person",
    "cup": "Coffee cup",
    "dining table": "Kitchen & dining room table",
    "dog": "Dog",
    "door": "Door",
    "door handle": "Door handle",
    "fire hydrant": "Fire hydrant",
    "kite": "Kite",
    "lamp": "Lamp",
    "laptop": "Laptop",
    "microwave": "Microwave oven",
    "motorcycle": "Motorcycle",
    "orange": "Orange",
    "oven": "Oven",
    "painting": "Picture frame",
    "person": "Person",
    "portrait": "Person",
    "potted plant": "Houseplant",
    "refrigerator": "Refrigerator",
    "rider": "Person",
    "sink": "Sink",
    "sports ball": "Ball",
    "stairs": "Stairs",
    "stop sign": "Stop sign",
    "suitcase": "Suitcase",
    "traffic light": "Traffic light",
    "traffic sign": "Traffic sign",
    "tree": "Tree",
    "truck": "Truck",
    "tv": "Television",
    "umbrella": "Umbrella",
    "vase": "Vase",
    "wheelchair": "Wheelchair",
    "window": "Window",
    "wine glass": "Wine glass",
}
"""The Open Images class by thing."""

BDD100K: dict[str, str] = {
    "bicycle": "bicycle",
    "bus": "bus",
    "car": "car",
    "motorcycle": "motorcycle",
    "person": "pedestrian",
    "rider": "rider",
    "stop sign": "traffic sign",
    "traffic light": "traffic light",
    "traffic sign": "traffic sign",
    "truck": "truck",
}
"""The BDD100K category by thing."""

ADE20K: dict[str, str] = {
    "apple": "food",
    "backpack": "bag",
    "banana": "food",
    "bird": "animal",
    "bowl": "plate",
    "cabinet front": "cabinet",
    "cake": "food",
    "cat": "animal",
    "couch": "sofa",
    "crowd": "person",
    "cup": "glass",
    "dining table": "table",
    "dog": "animal",
    "laptop": "computer",
    "motorcycle": "minibike",
    "orange": "food",
    "potted plant": "plant",
    "rider": "person",
    "sports ball": "ball",
    "stop sign": "signboard",
    "suitcase": "bag",
    "traffic sign": "signboard",
    "tv": "television receiver",
    "wheelchair": "chair",
    "window": "windowpane",
    "wine glass": "glass",
} | {name: name for name in ADE20K_OBJECTS}
"""The ADE20K object by thing or surface."""
