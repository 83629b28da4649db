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
    """Runs wgvae, in a folder or where the script was started."""

    def __init__(self, command, folder=None):
        self.words = shlex.split(command)
        if not self.words:
            raise SystemExit("--wgvae must name a program")
        if "/" in self.words[0]:
            self.words[0] = str(pathlib.Path(self.words[0]).resolve())
        self.folder = folder

    def run(self, *words, patience=None):
        """How it ended, in so many seconds."""
        words = [*self.words, *map(str, words)]
        try:
            return subprocess.run(words, cwd=self.folder, capture_output=True, text=True, timeout=patience)
        except OSError as error:
            message = f"`{shlex.join(words)}` does not start ({error.strerror}): build it first, or say --wgvae"
            raise SystemExit(message) from error

    def __call__(self, *words):
        """What it printed."""
        done = self.run(*words)
        if done.returncode != 0:
            raise SystemExit(f"{shlex.join(done.args)}\n{done.stderr}")
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
