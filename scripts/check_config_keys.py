"""Compare the worker's table of configuration keys with the configuration classes of the installed sleap-nn.

Usage: TRAINER_VENV/bin/python scripts/check_config_keys.py [--dump]
Run with the Python that has sleap-nn. Exit 1 and one line a difference if the table is out of date; --dump prints the keys."""
import pathlib, sys, typing

import attrs
import sleap_nn
from sleap_nn.config.training_job_config import TrainingJobConfig

TABLE = pathlib.Path(__file__).resolve().parent.parent / "crates/worker/src/trainer/keys.txt"
RULES = {"keep", "section", "free", "carried", "set", "drop", "refuse"}


def keys(cls, prefix=""):
    """Yield (dotted key, type or None for a section), depth first."""
    hints = typing.get_type_hints(cls)
    for attribute in attrs.fields(cls):
        hint = hints[attribute.name]
        inner = [t for t in typing.get_args(hint) if t is not type(None)]
        if typing.get_origin(hint) is typing.Union and len(inner) == 1:
            hint = inner[0]
        name = prefix + attribute.name
        if isinstance(hint, type) and attrs.has(hint):
            yield name, None
            yield from keys(hint, name + ".")
        else:
            yield name, hint


def table():
    rules = {}
    for number, line in enumerate(TABLE.read_text().splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        rule, key = line.split()
        if rule not in RULES or key in rules:
            sys.exit(f"{TABLE.name}:{number}: bad line: {line}")
        rules[key] = rule
    return rules


def differences(real, rules):
    whole = [k for k, rule in rules.items() if rule != "section"]
    covered = lambda key: any(key.startswith(w + ".") for w in whole)
    for key, hint in real.items():
        if covered(key):
            continue
        if key not in rules:
            yield f"missing in the table: {key}"
        elif hint is not None and rules[key] == "section":
            yield f"a section in the table, a value in sleap-nn: {key}"
        elif hint is None and rules[key] in ("keep", "free", "carried"):
            yield f"a value in the table, a section in sleap-nn: {key}"
        elif hint is dict and rules[key] == "keep":
            yield f"a map in sleap-nn, so not 'keep': {key}"
    for key in rules:
        if key not in real:
            yield f"not in sleap-nn: {key}"


real = dict(keys(TrainingJobConfig))
if "--dump" in sys.argv:
    print("\n".join(f"{k} {'section' if t is None else t}" for k, t in real.items()))
    sys.exit(0)
found = list(differences(real, table()))
print("\n".join(found), end="\n" if found else "")
print(f"{len(real)} keys of sleap-nn {sleap_nn.__version__}: {len(found)} differences")
sys.exit(bool(found))
