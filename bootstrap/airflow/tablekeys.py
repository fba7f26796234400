"""Foreign keys and sequences around a copy of Airflow's tables; run by Airflow's Python, with tablecopy."""

# ruff: noqa: S608  (names come from the database's own catalogue, quoted)

from typing import Any, Dict, List, Tuple


def quoted(name: str) -> str:
    """A name as both databases write it."""
    return '"' + name.replace('"', '""') + '"'


class ForeignKeys:
    """The foreign keys of the current schema, taken away while rows are copied; `cursor` is psycopg2's."""

    def __init__(self, cursor: Any) -> None:
        self.cursor = cursor
        self.taken: List[Tuple[str, str, str]] = []  # table, name, definition
        self.columns: Dict[Tuple[str, str], Tuple[str, List[str], List[str], str]] = {}

    def take(self) -> None:
        """Drop every foreign key of the schema, and remember each."""
        self.cursor.execute(
            "SELECT c.relname, k.conname, pg_get_constraintdef(k.oid) FROM pg_constraint k"
            " JOIN pg_class c ON c.oid = k.conrelid"
            " WHERE k.contype = 'f' AND k.connamespace = current_schema()::regnamespace ORDER BY 1, 2"
        )
        self.taken = [(row[0], row[1], row[2]) for row in self.cursor.fetchall()]
        self.columns = self._columns()
        for table, constraint, _ in self.taken:
            self.cursor.execute(f"ALTER TABLE {quoted(table)} DROP CONSTRAINT {quoted(constraint)}")

    def _columns(self) -> Dict[Tuple[str, str], Tuple[str, List[str], List[str], str]]:
        """Of every foreign key: the table that it leads to, the columns of both, and what a deletion does."""
        self.cursor.execute(
            "SELECT c.relname, k.conname, r.relname, k.confdeltype::text,"
            " array(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY u(n, i)"
            "   JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.n ORDER BY u.i),"
            " array(SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY u(n, i)"
            "   JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.n ORDER BY u.i)"
            " FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid"
            " JOIN pg_class r ON r.oid = k.confrelid"
            " WHERE k.contype = 'f' AND k.connamespace = current_schema()::regnamespace"
        )
        return {(row[0], row[1]): (row[2], row[4], row[5], row[3]) for row in self.cursor.fetchall()}

    def drop_orphans(self) -> List[Dict[str, Any]]:
        """Leave out rows that refer to nothing, until there is none: each may have been another's parent.

        What was left out: table, rows, why.
        """
        found: Dict[Tuple[str, str], int] = {}
        again = True
        while again:
            again = False
            for table, constraint, _ in self.taken:
                parent, columns, theirs, deletion = self.columns[table, constraint]
                joined = " AND ".join(
                    f"p.{quoted(there)} = c.{quoted(here)}" for here, there in zip(columns, theirs)
                )
                given = " AND ".join(f"c.{quoted(here)} IS NOT NULL" for here in columns)
                where = f"{given} AND NOT EXISTS (SELECT 1 FROM {quoted(parent)} p WHERE {joined})"
                if deletion == "n":
                    cleared = ", ".join(f"{quoted(here)} = NULL" for here in columns)
                    self.cursor.execute(f"UPDATE {quoted(table)} c SET {cleared} WHERE {where}")
                    continue
                self.cursor.execute(f"DELETE FROM {quoted(table)} c WHERE {where}")
                if self.cursor.rowcount:
                    again = True
                    found[table, parent] = found.get((table, parent), 0) + self.cursor.rowcount
        return [
            {"table": table, "rows": count, "why": f"belongs to no row of {parent}"}
            for (table, parent), count in found.items()
        ]

    def put_back(self) -> None:
        """Make every foreign key again as it was."""
        for table, constraint, definition in self.taken:
            self.cursor.execute(
                f"ALTER TABLE {quoted(table)} ADD CONSTRAINT {quoted(constraint)} {definition}"
            )


def set_sequences(cursor: Any) -> None:
    """Have every sequence go on after the greatest number in its column."""
    cursor.execute(
        "SELECT c.relname, a.attname, pg_get_serial_sequence(quote_ident(c.relname), a.attname)"
        " FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid"
        " WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r' AND a.attnum > 0"
        " AND NOT a.attisdropped"
        " AND pg_get_serial_sequence(quote_ident(c.relname), a.attname) IS NOT NULL"
    )
    owned = [(table, column, sequence) for table, column, sequence in cursor.fetchall()]
    # FAB's are not owned by their columns: the default names them
    cursor.execute(
        "SELECT table_name, column_name, substring(column_default from $$nextval\\('([^']+)'$$)"
        " FROM information_schema.columns WHERE table_schema = current_schema()"
        " AND column_default LIKE 'nextval(%'"
    )
    owned += [tuple(row) for row in cursor.fetchall()]
    # ... or nothing does but their names
    cursor.execute(
        "SELECT replace(s.relname, '_id_seq', ''), 'id', s.oid::regclass::text FROM pg_class s"
        " WHERE s.relkind = 'S' AND s.relnamespace = current_schema()::regnamespace"
        " AND s.relname LIKE '%\\_id\\_seq' AND EXISTS (SELECT 1 FROM information_schema.columns"
        "   WHERE table_schema = current_schema() AND column_name = 'id'"
        "   AND table_name = replace(s.relname, '_id_seq', ''))"
    )
    owned += [tuple(row) for row in cursor.fetchall()]
    for table, column, sequence in dict.fromkeys(owned):
        cursor.execute(
            f"SELECT setval(%s, COALESCE(max({quoted(column)}), 1), max({quoted(column)}) IS NOT NULL)"
            f" FROM {quoted(table)}",
            (sequence,),
        )
