-- How long each class of data is kept (store.sqlite.keep); a class without a row: as it comes.

CREATE TABLE keeping (
  class TEXT PRIMARY KEY,
  keep_s REAL,                  -- NULL: for ever
  gone REAL NOT NULL DEFAULT 0  -- Unix seconds: what is older was deleted
) STRICT;
