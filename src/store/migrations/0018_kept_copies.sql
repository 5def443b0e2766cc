-- What is kept of a call beside the trail is found by its call, to be erased with it.
CREATE INDEX repeats_of_call ON repeats (call);
CREATE INDEX pendings_of_call ON pendings (call);
CREATE INDEX tasks_of_call ON tasks (call) WHERE call IS NOT NULL;
