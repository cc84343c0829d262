ALTER TABLE ids ADD COLUMN stages integer NOT NULL DEFAULT 0;

-- Rollouts in stages (fleet.stages), whatever is rolled out.
CREATE TABLE stages (
  id integer PRIMARY KEY,
  kind text NOT NULL,           -- of what: 'config'
  author text NOT NULL,
  created double precision NOT NULL,
  changed double precision NOT NULL,
  state text NOT NULL,
  wave integer NOT NULL,        -- from 0
  until double precision,       -- of a soak
  why text,                     -- it stopped
  forgiven integer NOT NULL,    -- failures of this wave that people went on in spite of
  insisted integer NOT NULL,    -- people went on though no node has taken it
  rules text NOT NULL,          -- JSON
  options text NOT NULL         -- JSON, the kind's
);

CREATE TABLE stage_nodes (
  stages integer NOT NULL REFERENCES stages (id),
  node integer NOT NULL REFERENCES nodes (id),
  wave integer NOT NULL,
  phase text NOT NULL,
  asked integer NOT NULL,       -- what the phase asks of the node was done
  mark bigint NOT NULL,         -- what the kind knows this attempt by
  reason text,
  changed double precision NOT NULL,
  payload bytea,                -- what the node is to get, sealed; NULL: it is not needed again
  PRIMARY KEY (stages, node)
);
