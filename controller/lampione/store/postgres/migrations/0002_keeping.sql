-- How long each class of data is kept (store.retention); a class without a row: as it comes.
CREATE TABLE keeping (
  class text PRIMARY KEY,
  keep_s double precision,      -- NULL: for ever
  gone double precision NOT NULL DEFAULT 0  -- Unix seconds: what is older was deleted
);
