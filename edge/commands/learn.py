"""Learning in place: how far it has come; go back to an earlier bundle, end it, or begin anew."""

from __future__ import annotations

import argparse
from pathlib import Path

from edge.bundles.bundle import Bundle
from edge.config.load import load_config
from edge.config.schema import Config
from edge.console.output import print_result
from edge.doctor.sandbox import take_state_folder
from edge.errors import StoreError, UserError
from edge.learning.learning import FOLDER, QUESTION
from edge.learning.starter import starter_path
from edge.learning.store import STORE, Store, forget
from edge.learning.versions import Versions
from edge.mqtt.timestamp import timestamp
from edge.remote.source_control import marks_in_force

EXAMPLE = """examples, for a source with `learn:` in config.yaml:
  auscult learn --status
  auscult learn --rollback --source pump1
  auscult learn --accept --source pump1
  auscult learn --freeze --source pump1
  auscult calibrate --store /var/lib/auscult/learning/pump1 --output pump1.auscult

A running daemon follows within a minute."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.epilog = EXAMPLE
    parser.add_argument("--config", type=Path, default=Path("config.yaml"), metavar="FILE", help="the configuration (default: config.yaml)")
    parser.add_argument("--source", metavar="NAME", help="only this source (default: all that learn or have learned)")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--status", action="store_true", help="say how much was learned, and where it is kept")
    what.add_argument("--rollback", action="store_true", help="go back to the bundle before the one in force")
    what.add_argument("--accept", action="store_true", help="what a source alarms at for long is its new normal: learn it")
    what.add_argument("--freeze", action="store_true", help="learn nothing more, and keep what was learned")
    what.add_argument("--resume", action="store_true", help="go on after --freeze")
    what.add_argument("--forget", action="store_true", help="delete what was learned; a source that learns begins anew")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="how to print the result (default: %(default)s)")


def run(args: argparse.Namespace) -> int:
    """Do what was asked for, and print how each source stands then."""
    take_state_folder()
    config = load_config(args.config)
    folders = _folders(config, args.source)
    if not args.status and args.source is None and len(folders) > 1:
        raise UserError("--source", f"name one of {', '.join(folders)}, or do it for one after the other")
    if not args.status:
        for name, folder in folders.items():
            _change(name, folder, config, args)
    told = [_told(name, folder, config) for name, folder in folders.items()]
    if args.format == "json":
        print_result({"sources": told}, "json")
    else:
        for one in told:
            print_result(one, "text")
    return 0


def _folders(config: Config, wanted: str | None) -> dict[str, Path]:
    """The stores by source: of those that learn, and of those that did once."""
    parent = config.state_folder / FOLDER
    try:
        there = [path.name for path in sorted(parent.iterdir()) if (path / STORE).exists()] if parent.exists() else []
    except OSError as error:
        raise StoreError(parent, f"cannot be read: {error.strerror or error}; call it as the daemon's user: sudo -u auscult") from error
    names = [name for name, source in config.sources.items() if source.learn is not None]
    names = list(dict.fromkeys([*names, *there]))
    if wanted is not None and wanted not in names:
        raise UserError(wanted, f"does not learn and never did; add `learn: {{days: 7}}` to sources.{wanted} in the configuration")
    if not names:
        raise UserError("config.yaml", "no source learns; add `learn: {days: 7}` to one")
    return {name: parent / name for name in names if wanted in (None, name)}


def _change(name: str, folder: Path, config: Config, args: argparse.Namespace) -> None:
    try:
        if args.rollback:
            Versions(folder).roll_back(_base(name, config))
        elif args.accept:
            _accept(name, folder / QUESTION)
        elif args.forget and folder.exists():
            forget(folder)
        elif args.freeze:
            Store(folder).freeze()
        else:
            Store(folder).thaw()
    except OSError as error:
        raise StoreError(folder, f"cannot be changed: {error.strerror or error}; call it as the daemon's user: sudo -u auscult") from error


def _accept(name: str, question: Path) -> None:
    try:
        question.unlink()
    except FileNotFoundError:
        raise UserError(name, "asks nothing: it has not alarmed for so long without an end that it may be a new normal") from None


def _base(name: str, config: Config) -> str:
    """What the bundle that the configuration names is known by, or else the starter."""
    if name not in config.sources:
        raise UserError(name, "is not in the configuration any more")
    path = config.sources[name].bundle or starter_path(config.state_folder / FOLDER / name)
    if config.sources[name].bundle is None and not path.exists():
        raise UserError(name, "is still listening and has no bundle yet")
    return Bundle.read(path).sha256


def _told(name: str, folder: Path, config: Config) -> dict[str, object]:
    source = config.sources.get(name)
    learn = None if source is None else source.learn
    is_self_taught = source is not None and source.bundle is None
    is_listening = is_self_taught and not _is_judged(name, folder, config)
    planned = {
        "days": None if learn is None else learn.days,
        "first_minutes": None if learn is None or not is_self_taught else learn.first_minutes,
    }
    if not (folder / STORE).exists():
        return {"source": name, "state": "listening" if is_listening else "nothing learned", **planned, "store": str(folder)}
    store = Store(folder)
    state = "listening" if is_listening else "learning"
    if learn is None or store.is_frozen or store.learned_s >= 86_400 * learn.days:
        state = "frozen" if store.is_frozen else "off" if learn is None else "over"
    return {
        "source": name,
        "state": state,
        "learned_hours": round(store.learned_s / 3600.0, 2),
        **planned,
        "since": timestamp(store.description.created_s),
        "last": timestamp(store.last_wall_s) if store.last_wall_s else None,
        "megabytes": round(store.stored_bytes / 1e6, 1),
        **_versions(name, folder, config),
        "marks": [sound.event for sounds in marks_in_force(config.state_folder, name) for sound in sounds],
        "store": str(folder),
    }


def _is_judged(name: str, folder: Path, config: Config) -> bool:
    """Whether a learned bundle is in force."""
    try:
        return Versions(folder).chosen(_base(name, config)) is not None
    except UserError:
        return False


def _versions(name: str, folder: Path, config: Config) -> dict[str, object]:
    """The bundles that were made; none are known when the one that they stand for cannot be read."""
    try:
        base = _base(name, config)
    except UserError:
        return {}
    chosen = Versions(folder).chosen(base)
    kept = [f"{one.number} ({one.learned_s / 3600.0:.1f} h learned)" for one in Versions(folder).kept(base)]
    own = "none: it listens, without alarms" if config.sources[name].bundle is None else "the bundle of the configuration"
    return {"in_force": own if chosen is None else f"version {chosen.number}", "versions": kept}
