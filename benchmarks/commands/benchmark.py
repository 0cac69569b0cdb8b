"""`auscult benchmark`: figures that anyone can measure again on their own machine."""

from __future__ import annotations

import argparse
import importlib
from types import ModuleType

EXAMPLE = """examples:
  auscult benchmark cost --format json
  auscult benchmark machines --manifest recordings/manifest.csv
  auscult benchmark machines --manifest recordings/manifest.csv --units fan_id_02 --repeats 5 --noise-db 6
  auscult benchmark envmix --manifest recordings/manifest.csv --snr 6 0 -6
  auscult benchmark envmix --manifest recordings/manifest.csv --detector patchcore,padim --mode clip --format markdown
  auscult benchmark mimii --root MIMII/ --detector patchcore,padim,cfa,stfpm --format markdown
  auscult benchmark robustness --manifest recordings/manifest.csv --units fan_id_02
  auscult benchmark changes --synthesised --kinds band tone
  auscult benchmark promise --minutes 5 15 60 --hours 3
  auscult benchmark learning --quick"""

BENCHMARKS = {
    "detectors": "what each detector costs: fitting time, memory, size of the bundle, time per second of audio",
    "cost": "what a second of audio costs: time of one core by stage, memory, and against naive sliding windows",
    "machines": "how well faults are detected: ROC AUC per machine of a manifest",
    "envmix": "how well sounds added to street sound are detected and located: three levels of ROC AUC",
    "mimii": "MIMII as published: the table of From Vision to Sound, ours beside the paper's",
    "dcase2020": "DCASE 2020 Task 2 as published: the table of AudDSR, ours beside the paper's",
    "faithfulness": "whether the anomaly map shows what caused the score: the table of From Vision to Sound",
    "robustness": "false alarms after ordinary changes: gain, another microphone, hum, a door, speech, drift",
    "changes": "the smallest steady change that is detected: a band, a tone, a shaft, a modulation, the level, impulses of known size",
    "promise": "whether thresholds keep their promise: false alarms per week, observed against promised, and the delay of faults",
    "learning": "what learning in place is worth: weeks of a machine, by a bundle of the first half hour and by one that goes on learning",
    "tail": "the same without sound, for noise of a known distribution: the true rate of one promised alarm per week",
    "drift": "how soon slow wear is told as drift, and whether shifts, loads, weekends and weather are told as any",
    "soak": "whether the daemon grows: memory, open files and threads over days of sound",
    "dashboard": "what the page costs: processor time and memory of its server and of a browser, and what a broker's restart loses",
    "compare": "whether one system's results are better than another's: paired differences with an interval over sets",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare one sub-command per benchmark."""
    parser.description = (
        "Measure what Auscult costs and how well it detects faults, on this machine; --format json gives the figures to programs."
    )
    parser.epilog = EXAMPLE
    choices = parser.add_subparsers(dest="benchmark", required=True, metavar="|".join(BENCHMARKS))
    for name, summary in BENCHMARKS.items():
        command = choices.add_parser(name, help=summary)
        _module(name).add_arguments(command)
        formats = getattr(_module(name), "FORMATS", ("text", "json"))
        command.add_argument("--format", choices=formats, default="text", help="how to print the result (default: %(default)s)")


def run(arguments: argparse.Namespace) -> int:
    """Measure."""
    return int(_module(arguments.benchmark).run(arguments))


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"benchmarks.commands.{name}")
