"""The conditions of low vision for which MaxSight trains a detector each, as its checkpoints' folders name them."""

CONDITIONS = (
    "amblyopia",
    "amd",
    "astigmatism",
    "cataracts",
    "color_blindness",
    "cvi",
    "diabetic_retinopathy",
    "glaucoma",
    "hyperopia",
    "myopia",
    "presbyopia",
    "refractive_errors",
    "retinitis_pigmentosa",
    "strabismus",
)
"""Each condition's name, in alphabetical order; `checkpoints_<condition>` is the folder of its checkpoints."""
