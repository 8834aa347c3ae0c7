"""Landing against the usual tools, side by side from loopback servers: a whole zip, chosen members, many small files.

Every way runs in a process of its own, followed by one sync; seconds, CPU seconds of that process tree, peak resident
memory and peak disk (files of the working directory) are measured from outside with psutil.
"""

import argparse
import contextlib
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from maxsight_assets_tests.servers import processes

CONNECTIONS = 32
CHOSEN = 500
BUCKET = "benchmark"
S3_TOOLS = ("boto3", "requests-s3", "s5cmd")
KEYS = ("benchmark", "benchmark-secret")


@dataclass
class Took:
    """What one way took."""

    seconds: float
    cpu: float
    rss_mb: float
    disk_mb: float


def disk_mb(root: Path) -> float:
    total = 0
    for path in root.rglob("*"):
        with contextlib.suppress(OSError):
            total += path.stat().st_size if path.is_file() else 0
    return total / 1e6


def measured(command: list[str], work: Path) -> Took:
    """Run a command in a new directory below `work` and watch it.

    What it wrote is emptied, not deleted: after a deletion of many files ext4 is slow for minutes at making others.
    """
    out = Path(tempfile.mkdtemp(dir=work))
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    began = time.perf_counter()
    process = psutil.Popen(command, cwd=out, env=environment)
    rss = disk = cpu = 0.0
    looked = began
    while process.poll() is None:
        with contextlib.suppress(psutil.Error):
            family = [process, *process.children(recursive=True)]
            rss = max(rss, sum(each.memory_info().rss for each in family) / 1e6)
            cpu = max(cpu, sum(sum(each.cpu_times()[:2]) for each in family))
        if time.perf_counter() - looked > 2:
            disk, looked = max(disk, disk_mb(out)), time.perf_counter()
        time.sleep(0.02)
    seconds = time.perf_counter() - began
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    took = Took(seconds, cpu, rss, max(disk, disk_mb(out)))
    for path in out.rglob("*"):
        if path.is_file():
            os.truncate(path, 0)
    return took


def table(title: str, ways: dict[str, list[str]], work: Path, rounds: int) -> dict[str, Took]:
    """Measure the ways in turn, `rounds` times, and print the best of each."""
    best: dict[str, Took] = {}
    for _ in range(rounds):
        for name, command in ways.items():
            took = measured(command, work)
            if name not in best or took.seconds < best[name].seconds:
                best[name] = took
    first = next(iter(best.values()))
    print(f"\n{title}\n{'way':<26}{'seconds':>9}{'ratio':>7}{'CPU s':>8}{'RSS MB':>8}{'disk MB':>9}")
    for name, took in best.items():
        ratio = took.seconds / first.seconds
        print(f"{name:<26}{took.seconds:>9.2f}{ratio:>7.2f}{took.cpu:>8.2f}{took.rss_mb:>8.0f}{took.disk_mb:>9.0f}")
    return best


def ours(way: str, *arguments: object) -> list[str]:
    return [sys.executable, str(Path(__file__).resolve()), "--way", way, *map(str, arguments)]


def zip_ways(url: str, sha256: str) -> dict[str, list[str]]:
    fetch = f"curl -sfo a.zip {url}"
    inflate = f"{sys.executable} -c 'import zipfile; zipfile.ZipFile(\"a.zip\").extractall()'"
    ways = {"landing": ours("zip", url), "landing, pinned": ours("pinned", url, sha256)}
    ways |= {"curl + zipfile": ["sh", "-c", f"{fetch} && {inflate} && sync -f ."]}
    if shutil.which("unzip"):
        ways["curl + unzip"] = ["sh", "-c", f"{fetch} && unzip -q a.zip && sync -f ."]
    return ways


def land_zip(url: str, chosen: int | None, sha256: str | None = None) -> None:
    """Ours: the zip's members to the working directory."""
    from maxsight_assets.archives.archive import open_archive
    from maxsight_assets.remote import RemoteFile
    from maxsight_assets.transport.client import Client, Limits

    host = url.split("/")[2]
    with Client(limits=Limits(loopback_allowed=frozenset({host}))) as client:
        file = RemoteFile("val2017.zip", url, sha256=sha256)
        with open_archive(client, file, downloads=Path("downloads")) as archive:
            names = list(archive.members)
            wanted = names if chosen is None else names[:: max(1, len(names) // chosen)][:chosen]
            archive.extract({name: Path(name) for name in wanted}, lambda *_: None)
    subprocess.run(["sync", "-f", "."], check=True)


def land_many(base: str, count: str) -> None:
    """Ours: many small objects."""
    from pydantic import SecretStr

    from maxsight_assets.remote import Landed, RemoteFile
    from maxsight_assets.transport.client import Client, Credentials, Limits

    host = base.split("/")[2]
    credentials, root = Credentials(), base
    if base.endswith("#s3"):
        root = f"s3://{BUCKET}"
        credentials = Credentials(
            aws_access_key_id=SecretStr(KEYS[0]), aws_secret_access_key=SecretStr(KEYS[1]), s3_endpoint=f"http://{host}"
        )
    files = [(RemoteFile(name, f"{root}/{name}"), Path(name)) for name in names_of(count)]
    with Client(limits=Limits(loopback_allowed=frozenset({host})), credentials=credentials) as client:
        landed = list(client.download_many(files, connections=CONNECTIONS))
    assert all(isinstance(item, Landed) for _, item in landed)
    subprocess.run(["sync", "-f", "."], check=True)


def names_of(count: str) -> list[str]:
    return [f"{number:012d}.jpg" for number in range(int(count))]


def requests_many(base: str, count: str) -> None:
    """The usual way: a thread pool over one requests session."""
    requests_each({name: f"{base}/{name}" for name in names_of(count)})


def requests_each(urls: dict[str, str]) -> None:
    import requests

    session = requests.Session()
    session.mount("http://", requests.adapters.HTTPAdapter(pool_connections=1, pool_maxsize=CONNECTIONS))

    def fetch(name: str) -> None:
        answer = session.get(urls[name], timeout=60)
        answer.raise_for_status()
        Path(name).write_bytes(answer.content)

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        list(pool.map(fetch, urls))
    subprocess.run(["sync", "-f", "."], check=True)


def requests_s3_many(base: str, count: str) -> None:
    """The same over addresses that boto3 has signed."""
    client = s3_client(f"http://{base.split('/')[2]}")
    requests_each({name: signed(client, name) for name in names_of(count)})


def signed(client: Any, name: str) -> str:
    return str(client.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": name}))


def boto_many(base: str, count: str) -> None:
    """The usual way for S3: boto3's download_file in a thread pool."""
    client = s3_client(f"http://{base.split('/')[2]}")
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        list(pool.map(lambda name: client.download_file(BUCKET, name, name), names_of(count)))
    subprocess.run(["sync", "-f", "."], check=True)


def s5cmd_many(base: str, _: str) -> None:
    """The fastest tool for S3, where it is installed."""
    keys = {"AWS_ACCESS_KEY_ID": KEYS[0], "AWS_SECRET_ACCESS_KEY": KEYS[1], "AWS_REGION": "us-east-1"}
    host = base.split("/")[2]
    command = ["s5cmd", "--endpoint-url", f"http://{host}", "--numworkers", str(CONNECTIONS), "cp", f"s3://{BUCKET}/*"]
    subprocess.run([*command, "."], check=True, env={**os.environ, **keys}, stdout=subprocess.DEVNULL)
    subprocess.run(["sync", "-f", "."], check=True)


def s3_client(endpoint: str) -> Any:
    import boto3
    from botocore.config import Config

    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id=KEYS[0],
        aws_secret_access_key=KEYS[1],
        region_name="us-east-1",
        config=Config(max_pool_connections=CONNECTIONS, s3={"addressing_style": "path"}),
    )


def serve_line(host: str, delay_ms: str) -> None:
    with processes.SlowLine(host, delay_s=int(delay_ms) / 1000) as slow:
        print(slow.host, flush=True)
        sys.stdin.read()


WAYS: dict[str, Callable[[str, str], None]] = {
    "zip": lambda url, _: land_zip(url, None),
    "pinned": lambda url, sha256: land_zip(url, None, sha256),
    "chosen": lambda url, count: land_zip(url, int(count)),
    "many": land_many,
    "requests": requests_many,
    "boto3": boto_many,
    "requests-s3": requests_s3_many,
    "s5cmd": s5cmd_many,
    "line": serve_line,
}


@contextlib.contextmanager
def line(host: str, delay_ms: int) -> Iterator[str]:
    """The server itself, or behind a line that delays every request, in a process of its own."""
    if not delay_ms:
        yield host
        return
    command = [sys.executable, str(Path(__file__).resolve()), "--way", "line", host, str(delay_ms)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.stdin.close()  # ends it


def whole_zip(work: Path, rounds: int) -> None:
    with (work / "up" / "val2017.zip").open("rb") as archive:
        sha256 = hashlib.file_digest(archive, "sha256").hexdigest()
    for label, rate in (("40 MB/s a connection", "40m"), ("no limit", "0")):
        with processes.nginx(work / "up", work / "nginx", limit_rate=rate) as host:
            best = table(f"a zip of 5,000 JPEGs, {label}", zip_ways(f"http://{host}/val2017.zip", sha256), work, rounds)
        others = min(took.seconds for name, took in best.items() if not name.startswith("landing"))
        print(f"landing is {others / best['landing'].seconds:.2f} times as fast as the best of the others")


def chosen_members(work: Path) -> None:
    with zipfile.ZipFile(work / "up" / "val2017.zip") as archive:
        entries = archive.infolist()
    own = sum(entry.compress_size for entry in entries[:: max(1, len(entries) // CHOSEN)][:CHOSEN])
    with processes.nginx(work / "up", work / "nginx") as host:
        took = measured(ours("chosen", f"http://{host}/val2017.zip", CHOSEN), work)
        log = (work / "nginx" / "access.log").read_text(encoding="utf-8")
    sent = sum(int(row.split('"')[2].split()[1]) for row in log.splitlines() if '"GET /val2017.zip' in row)
    print(f"\n{CHOSEN} chosen members: {sent / 1e6:.1f} MB on the wire for {own / 1e6:.1f} MB, ratio {sent / own:.3f};")
    print(f"{took.seconds:.2f} s, {took.cpu:.2f} CPU s, {took.rss_mb:.0f} MB RSS, {took.disk_mb:.0f} MB on disk")


def many_files(work: Path, count: int, rounds: int) -> None:
    with processes.nginx(work / f"small-{count}", work / "nginx") as server:
        for delay_ms in (0, 30):
            with line(server, delay_ms) as host:
                base = f"http://{host}"
                ways = {"landing": ours("many", base, count), "requests": ours("requests", base, count)}
                table(f"{count:,} small files over HTTP, {delay_ms} ms delay", ways, work, rounds)
    if not processes.program("weed"):
        print("\nSeaweedFS is not installed: no S3")
        return
    shutil.rmtree(work / "weed", ignore_errors=True)
    with processes.seaweed(work / "weed", keys=KEYS) as endpoint:
        client = s3_client(endpoint)
        client.create_bucket(Bucket=BUCKET)
        for path in sorted((work / f"small-{count}").glob("*.jpg")):
            client.upload_file(str(path), BUCKET, path.name)
        for delay_ms in (0, 30):
            with line(endpoint.removeprefix("http://"), delay_ms) as host:
                base = f"http://{host}"
                ways = {"landing": ours("many", f"{base}/#s3", count)}
                ways |= {name: ours(name, base, count) for name in S3_TOOLS if name != "s5cmd" or shutil.which(name)}
                table(f"{count:,} small objects on S3, {delay_ms} ms delay", ways, work, rounds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", help="any of zip, chosen, many; default: all")
    parser.add_argument("--images", type=int, default=5_000, help="JPEGs in the zip (5,000 are about 700 MB)")
    parser.add_argument("--files", type=int, default=2_000, help="small files")
    parser.add_argument("--rounds", type=int, default=2, help="times that each way runs; the best counts")
    parser.add_argument("--work", type=Path, help="directory to keep the data in; default: a temporary one")
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.way:
        url, more = (*arguments.what, "")[:2]
        WAYS[arguments.way](url, more)
        return
    from jpegs import pack, scatter  # not in the ways that are measured

    with tempfile.TemporaryDirectory() as temporary:
        work = (arguments.work or Path(temporary)).resolve()
        (work / "up").mkdir(parents=True, exist_ok=True)
        chosen = set(arguments.what or ("zip", "chosen", "many"))
        if chosen & {"zip", "chosen"} and not (work / "up" / "val2017.zip").exists():
            pack(work / "up" / "val2017.zip", arguments.images)
        if "zip" in chosen:
            whole_zip(work, arguments.rounds)
        if "chosen" in chosen:
            chosen_members(work)
        if "many" in chosen:
            if not (work / f"small-{arguments.files}").exists():
                scatter(work / f"small-{arguments.files}", arguments.files)
            many_files(work, arguments.files, arguments.rounds)


if __name__ == "__main__":
    main()
