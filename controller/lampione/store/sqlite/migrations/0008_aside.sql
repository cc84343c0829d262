-- What was damaged when it was to be folded (store.sqlite.aside): out of the way, and not lost.
CREATE TABLE aside (
  id INTEGER PRIMARY KEY,
  at REAL NOT NULL,             -- when it was put here
  kind TEXT NOT NULL,           -- chunk, rollup, batch: the table that it was a row of, in singular
  place TEXT NOT NULL,          -- JSON: the row's other columns
  why TEXT NOT NULL,
  body BLOB NOT NULL
) STRICT;
