"""The program that scripts compare with others."""
import argparse
import pathlib
import shlex
import subprocess


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
