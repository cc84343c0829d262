-- What was damaged when it was to be rolled up (store.aside): out of the way, and not lost.
CREATE TABLE aside (
  id bigint PRIMARY KEY,        -- drawn
  at double precision NOT NULL, -- when it was put here
  kind text NOT NULL,           -- rollup, batch: the table that it was a row of, in singular
  place text NOT NULL,          -- JSON: the row's other columns
  why text NOT NULL,
  body bytea NOT NULL
);
