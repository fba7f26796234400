"""Connections and variables out of a file into Airflow's database: run by Airflow's own Python.

Standard input is JSON: ``{"kind": "connections" or "variables", "form": "json", "yaml" or "env", "text": ...,
"overwrite": bool}``. The forms are those of ``airflow connections import``. Airflow's own import differs
between releases, prints what it cannot read, and stops halfway; this one reads everything first, writes it in
one transaction, and says names and line numbers, never a value. The last line of the output is JSON.

With ``kind`` "rows" the connections of ``names`` are read as they lie in the database, and "put-back" writes
such ``rows`` again (null: that connection is removed); what is encrypted stays so.
"""

import inspect
import json
import re
import sys
from typing import Any, Dict, List, Tuple

_LONGEST = 250  # of both columns, in every release
_DESCRIBED = ({"value", "description"}, {"value", "description", "team_name"})


class EntryIllegible(Exception):
    """What is wrong, without a value in it."""


def parsed(form: str, text: str) -> Dict[str, Any]:
    """Name -> value; raises :class:`EntryIllegible` for the file as a whole."""
    if form == "env":
        return _assignments(text)
    found = _json(text) if form == "json" else _yaml(text)
    if not isinstance(found, dict):
        raise EntryIllegible("it is no object: on the outside there must be names, each with a value")
    return {str(name): value for name, value in found.items()}


def _json(text: str) -> Any:
    twice: List[str] = []

    def pairs(items: List[Tuple[str, Any]]) -> Dict[str, Any]:
        names = [name for name, _ in items]
        twice.extend(name for name in set(names) if names.count(name) > 1)
        return dict(items)

    try:
        found = json.loads(text, object_pairs_hook=pairs)
    except ValueError as error:
        raise EntryIllegible(f"line {getattr(error, 'lineno', 1)} is no JSON") from None
    if twice:
        raise EntryIllegible(f"there twice: {', '.join(sorted(twice))}")
    return found


def _yaml(text: str) -> Any:
    import yaml  # type: ignore[import-untyped]  # noqa: PLC0415  (Airflow itself needs it)

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise EntryIllegible(f"line {mark.line + 1 if mark else 1} is no YAML") from None


def _assignments(text: str) -> Dict[str, Any]:
    found: Dict[str, Any] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, sep, value = line.partition("=")
        if not sep or not name.strip():
            raise EntryIllegible(f"line {number} is not NAME=VALUE")
        if name.strip() in found:
            raise EntryIllegible(f"line {number}: {name.strip()} is there twice")
        found[name.strip()] = value
    return found


def connection(name: str, value: Any) -> Any:
    """Airflow's own object, from a URI or an object; raises :class:`EntryIllegible`."""
    from airflow.models.connection import Connection  # type: ignore[import-not-found]  # noqa: PLC0415

    if isinstance(value, str) and value.lstrip().startswith("{"):
        value = _object(value)
    if isinstance(value, str):
        given: Dict[str, Any] = {"uri": value.strip()}
    elif isinstance(value, dict):
        given = dict(value)
    else:
        raise EntryIllegible("neither a URI nor an object")
    known = set(inspect.signature(Connection.__init__).parameters) - {"self"}
    unknown = sorted(str(key) for key in set(given) - known - {"extra_dejson"})
    if unknown:
        raise EntryIllegible(f"unknown: {', '.join(unknown)}; known are {', '.join(sorted(known))}")
    if given.pop("conn_id", name) != name:
        raise EntryIllegible("conn_id is another name")
    if "extra_dejson" in given:
        given["extra"] = given.pop("extra_dejson")
    if given.get("extra") is not None and not isinstance(given["extra"], str):
        given["extra"] = json.dumps(given["extra"])
    if given.get("port") in ("", None):
        given.pop("port", None)
    elif not re.fullmatch(r"\d{1,5}", str(given["port"])):
        raise EntryIllegible("its port is no number")
    else:
        given["port"] = int(given["port"])
    try:
        made = Connection(conn_id=name, **given)
    except Exception as error:  # noqa: BLE001  (its message may quote the value)
        raise EntryIllegible(f"Airflow cannot read it ({type(error).__name__})") from None
    if made.conn_id != name:
        raise EntryIllegible("Airflow does not take that name")
    if not made.conn_type:
        raise EntryIllegible("it has no type: conn_type, or the scheme of a URI")
    return made


def _object(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        raise EntryIllegible("its value begins as JSON and is none") from None


def variable(name: str, value: Any) -> Any:
    """Airflow's own object; one that ``airflow variables export`` has written may have a description."""
    from airflow.models.variable import Variable  # type: ignore[import-not-found]  # noqa: PLC0415

    description = None
    if isinstance(value, dict) and set(value) in _DESCRIBED:
        value, description = value["value"], value["description"]
    text = value if isinstance(value, str) else json.dumps(value, indent=2)
    return Variable(key=name, val=text, description=description)


def bring_in(made: Dict[str, Any], attribute: str, overwrite: bool) -> Dict[str, List[str]]:
    """Write all of them in one transaction; what became of each name."""
    from airflow.utils.session import create_session  # type: ignore[import-not-found]  # noqa: PLC0415
    from sqlalchemy import inspect as mapped  # type: ignore[import-not-found]  # noqa: PLC0415

    done: Dict[str, List[str]] = {"added": [], "replaced": [], "kept": []}
    with create_session() as session:
        for name, new in sorted(made.items()):
            found = session.query(type(new)).filter_by(**{attribute: name}).first()
            if found is None:
                session.add(new)
                done["added"].append(name)
            elif not overwrite:
                done["kept"].append(name)
            else:
                for column in mapped(type(new)).mapper.column_attrs:
                    if column.key != "id":
                        setattr(found, column.key, getattr(new, column.key))
                done["replaced"].append(name)
    return done


def rows(names: List[str]) -> Dict[str, Any]:
    """The rows of connections by their names, null for one that is not there."""
    from airflow.models.connection import Connection  # noqa: PLC0415
    from airflow.utils.session import create_session  # noqa: PLC0415

    table, found = Connection.__table__, {}
    with create_session() as session:
        for name in names:
            result = session.execute(table.select().where(table.c.conn_id == name))
            columns, row = list(result.keys()), result.first()
            found[name] = dict(zip(columns, row)) if row is not None else None
    return {"rows": found}


def put_back(kept: Dict[str, Any]) -> Dict[str, Any]:
    """Write rows as they were, in one transaction."""
    from airflow.models.connection import Connection  # noqa: PLC0415
    from airflow.utils.session import create_session  # noqa: PLC0415

    table = Connection.__table__
    with create_session() as session:
        for name, row in kept.items():
            session.execute(table.delete().where(table.c.conn_id == name))
            if row is not None:
                session.execute(table.insert().values(**row))
    return {}


def answer(asked: Dict[str, Any]) -> Dict[str, Any]:
    """What was done, or ``problems``, and then nothing was."""
    if asked["kind"] == "rows":
        return rows(asked["names"])
    if asked["kind"] == "put-back":
        return put_back(asked["rows"])
    kind, attribute = (connection, "conn_id") if asked["kind"] == "connections" else (variable, "key")
    try:
        found = parsed(asked["form"], asked["text"])
    except EntryIllegible as error:
        return {"problems": [str(error)]}
    made, problems = {}, []
    for name, value in found.items():
        try:
            if not name or len(name) > _LONGEST:
                raise EntryIllegible(f"a name has 1 to {_LONGEST} characters")
            made[name] = kind(name, value)
        except EntryIllegible as error:
            problems.append(f"{name[:_LONGEST]}: {error}")
    return {"problems": problems} if problems else bring_in(made, attribute, asked["overwrite"])


def main() -> None:
    """Answer the question on standard input; whatever else is said goes to standard error."""
    said, sys.stdout = sys.stdout, sys.stderr
    try:
        found = answer(json.load(sys.stdin))
    except Exception as error:  # noqa: BLE001  (a message of SQLAlchemy's shows the values)
        found = {
            "failed": f"{type(error).__name__} {getattr(error, 'orig', '') if _is_outage(error) else ''}"
        }
    said.write("\n" + json.dumps(found, default=str) + "\n")


def _is_outage(error: Exception) -> bool:
    return type(error).__name__ == "OperationalError"


if __name__ == "__main__":
    main()
