"""Debian packages as files: apt resolves and downloads them into a folder of our own, without root
rights and without a look at what is installed on this machine."""

import os
import pathlib
import re
import subprocess
import tarfile
from typing import IO, Iterator

from cairn_tools.project import BUILD, ToolError, end_process, locked, run, say

SUITE = "bookworm"
_FOLDER = BUILD / "debian"
LOCK = BUILD / "debian.lock"  # held by who calls download: apt takes one at a time
_SYSTEM_LISTS = pathlib.Path("/var/lib/apt/lists")
_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
_DEFAULT_SOURCES = ("http://deb.debian.org/debian bookworm main", "http://deb.debian.org/debian bookworm-updates main",
                    "http://deb.debian.org/debian-security bookworm-security main")
_SECONDS = 1800
# Inst bash (5.2.15-2+b13 Debian:12.14/oldstable [amd64]) []
_INSTALLATION = re.compile(r"^Inst (?P<name>\S+) \((?P<version>\S+) .*?\[(?P<architecture>\w+)\]\)", re.MULTILINE)


def _apt(lists: pathlib.Path, *words: str, capture: bool = False) -> str:
    """apt-get with a state of our own: nothing is installed there, so all dependencies count as missing."""
    for folder in (lists / "partial", _FOLDER / "archives/partial"):
        folder.mkdir(parents=True, exist_ok=True)
    (_FOLDER / "status").touch()
    options = {
        "Dir::State": _FOLDER, "Dir::State::status": _FOLDER / "status", "Dir::State::lists": lists,
        "Dir::Cache": _FOLDER, "Dir::Cache::archives": _FOLDER / "archives",
        "APT::Architecture": "amd64", "APT::Install-Recommends": "0", "APT::Sandbox::User": "",
        "Debug::NoLocking": "1", "Acquire::Retries": "3", "Acquire::Languages": "none",
        "Dir::Etc::Preferences": "/dev/null", "Dir::Etc::PreferencesParts": "/dev/null",
    }
    if lists != _SYSTEM_LISTS:
        options |= {"Dir::Etc::SourceList": _FOLDER / "sources.list", "Dir::Etc::SourceParts": "/dev/null"}
    command = ["apt-get", "-q", "-y", *(f"-o{name}={value}" for name, value in options.items()), *words]
    if capture:
        return run(command, timeout=_SECONDS, quiet=True).stdout
    run(command, timeout=_SECONDS, stdout=2)
    return ""


def _system_sources() -> list[str]:
    """What the machine's own configuration names for this release: perhaps a mirror nearby."""
    # indextargets is the one interface that understands every form of sources.list.
    targets = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE) $(COMPONENT)", "Created-By: Packages"],
        capture_output=True, text=True, check=False, timeout=60).stdout
    fitting = (line.split() for line in targets.splitlines())
    return sorted({" ".join(words) for words in fitting if len(words) == 3 and words[1].split("-")[0] == SUITE
                   and words[2] == "main" and "debian" in words[0]})


def _system_lists_usable() -> bool:
    return any(_SYSTEM_LISTS.glob(f"*_{SUITE}_main_binary-amd64_Packages*"))


def _own_lists() -> pathlib.Path:
    """Package lists of our own, fetched anew."""
    lists = _FOLDER / "lists"
    _FOLDER.mkdir(parents=True, exist_ok=True)
    signed = f"[signed-by={_KEYRING}] " if os.path.exists(_KEYRING) else ""
    sources = _system_sources() or _DEFAULT_SOURCES
    (_FOLDER / "sources.list").write_text("".join(f"deb {signed}{line}\n" for line in sources), encoding="ascii")
    say("Fetching Debian's package lists")
    _apt(lists, "update")
    return lists


def download(packages: tuple[str, ...], *, fresh: bool = False) -> list[pathlib.Path]:
    """The .deb files of these packages and of all that they depend on. The machine's own package lists
    serve unless there are none, or they are too old, or `fresh` ones are asked for."""
    attempts = [_own_lists] if fresh or not _system_lists_usable() else [lambda: _SYSTEM_LISTS, _own_lists]
    for attempt in attempts:
        lists = attempt()
        try:
            uris = _apt(lists, "--print-uris", "-qq", "install", *packages, capture=True)
            # 'http://…/bash_5.2.15-2+b2_amd64.deb' bash_5.2.15-2+b2_amd64.deb 1490652 MD5Sum:…
            lines = [line.split() for line in uris.splitlines() if line.startswith("'")]
            files = {_FOLDER / "archives" / words[1]: int(words[2]) for words in lines}
            # A package that is there already is not among the URIs, so the archive folder is looked at anew.
            missing = [file for file, size in files.items() if not file.exists() or file.stat().st_size != size]
            if missing:
                megabytes = sum(files[file] for file in missing) / 1e6
                say(f"Downloading {len(missing)} Debian packages, {megabytes:.0f} MB")
                _apt(lists, "--download-only", "install", *packages)
            return _chosen(lists, packages)
        except ToolError:
            if attempt is attempts[-1]:
                raise
            say("The machine's package lists do not serve; fetching new ones")
    raise AssertionError("unreachable")


def _chosen(lists: pathlib.Path, packages: tuple[str, ...]) -> list[pathlib.Path]:
    """The files of the resolved set, from a simulated installation."""
    files = []
    for match in _INSTALLATION.finditer(_apt(lists, "-s", "install", *packages, capture=True)):
        version = match["version"].replace(":", "%3a")
        file = _FOLDER / "archives" / f"{match['name']}_{version}_{match['architecture']}.deb"
        if not file.exists():
            raise ToolError(f"apt-get did not download {file.name}")
        files.append(file)
    return files


def linux_kernel() -> pathlib.Path:
    """Debian's own kernel, the one for virtual machines: what the guest's programs are compared with. Several may ask
    at once."""
    with locked(LOCK):
        return _fetch_linux_kernel()


def _fetch_linux_kernel() -> pathlib.Path:
    folder = _FOLDER / "linux"
    for kernel in folder.glob("vmlinuz-*"):
        return kernel
    lists = _SYSTEM_LISTS if _system_lists_usable() else _own_lists()
    simulated = _apt(lists, "-s", "install", "linux-image-cloud-amd64", capture=True)
    package = next(match["name"] for match in _INSTALLATION.finditer(simulated)
                   if re.match(r"linux-image-\d", match["name"]))
    say(f"Downloading {package}, to compare with")
    folder.mkdir(parents=True, exist_ok=True)
    # 'http://…' linux-image-….deb 26713492 SHA256:…
    words = _apt(lists, "--print-uris", "-qq", "download", package, capture=True).split()
    uri = next(number for number, word in enumerate(words) if word.startswith("'http"))
    archive = folder / words[uri + 1]
    run(["/usr/lib/apt/apt-helper", "download-file", words[uri].strip("'"), archive, words[uri + 3]], timeout=_SECONDS,
        quiet=True)
    for member, contents in members(archive):
        if member.name.startswith("./boot/vmlinuz-"):
            kernel = folder / pathlib.PurePosixPath(member.name).name
            temporary = kernel.with_name("new")
            temporary.write_bytes(contents.read())
            temporary.replace(kernel)
    archive.unlink()
    return kernel


def package_name(file: pathlib.Path) -> str:
    return file.name.split("_")[0]


def members(file: pathlib.Path) -> Iterator[tuple[tarfile.TarInfo, IO[bytes] | None]]:
    """What a package would unpack: each member with the file to read its contents from."""
    process = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", file], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    try:
        with tarfile.open(fileobj=process.stdout, mode="r|") as archive:
            for member in archive:
                yield member, archive.extractfile(member) if member.isreg() else None
        process.stdout.read()
        if process.wait() != 0:
            raise ToolError(f"dpkg-deb cannot read {file}")
    finally:
        end_process(process)
        process.stdout.close()
