-- One answer into one row, and nothing else: no ticket, no paper, no deadline, no 2 s rule, no revision. For pgbench.
-- The revisions lie in the past (milliseconds since 1970), so that our server's saves are newer than every one of them.
\set attempt random(:first_attempt, :last_attempt)
\set question random(:first_question, :last_question)
\set revision random(1, 1000000000000)
INSERT INTO answers (attempt_id, question_id, value, revision, saved_at)
VALUES (:attempt, :question, '"abcd"', :revision, clock_timestamp())
ON CONFLICT (attempt_id, question_id) DO UPDATE
SET value = excluded.value, revision = excluded.revision, saved_at = excluded.saved_at;
