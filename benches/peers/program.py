"""The program that scripts compare with others, and the machine they run on."""
import argparse
import pathlib
import platform
import shlex
import subprocess
import sys


def arguments(description):
    """A parser of what all scripts take."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--wgvae", default="target/release/wgvae", metavar="CMD", help="command that starts wgvae")
    parser.add_argument("--seeds", type=int, default=3, metavar="N", help="how many seeds (default 3)")
    return parser


class Program:
    """Runs wgvae in a folder."""

    def __init__(self, command, folder):
        self.words = shlex.split(command)
        if "/" in self.words[0]:
            self.words[0] = str(pathlib.Path(self.words[0]).resolve())
        self.folder = folder

    def __call__(self, *words):
        words = [*self.words, *map(str, words)]
        done = subprocess.run(words, cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if done.returncode != 0:
            raise SystemExit(f"{' '.join(words)}\n{done.stderr}")
        return done.stdout


def cpu_model():
    """The processor's name."""
    if sys.platform == "darwin":
        asked = ["sysctl", "-n", "machdep.cpu.brand_string"]
        return subprocess.run(asked, stdout=subprocess.PIPE, text=True).stdout.strip()
    try:
        for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
