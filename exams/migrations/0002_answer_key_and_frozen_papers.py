"""What Django's models cannot say: the answers' key, room for updates in place, and papers that nobody can change."""

from django.db import migrations

ANSWER_KEY = """
ALTER TABLE answers DROP CONSTRAINT one_answer_per_question;
ALTER TABLE answers DROP CONSTRAINT answers_pkey;
ALTER TABLE answers ADD CONSTRAINT one_answer_per_question PRIMARY KEY (attempt_id, question_id);
CREATE INDEX answers_by_id ON answers (id);
"""
ANSWER_KEY_BACK = """
DROP INDEX answers_by_id;
ALTER TABLE answers DROP CONSTRAINT one_answer_per_question;
ALTER TABLE answers ADD CONSTRAINT answers_pkey PRIMARY KEY (id);
ALTER TABLE answers ADD CONSTRAINT one_answer_per_question UNIQUE (attempt_id, question_id);
"""

# An answer is saved again and again: with free room on its page an update touches no index.
ROOM = """
ALTER TABLE answers SET (fillfactor = 70);
ALTER TABLE attempts SET (fillfactor = 70);
"""
ROOM_BACK = """
ALTER TABLE answers RESET (fillfactor);
ALTER TABLE attempts RESET (fillfactor);
"""

FROZEN = """
CREATE FUNCTION papers_are_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'A paper never changes: publish a new version.' USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER papers_are_frozen BEFORE UPDATE ON papers FOR EACH ROW EXECUTE FUNCTION papers_are_frozen();
"""
FROZEN_BACK = """
DROP TRIGGER papers_are_frozen ON papers;
DROP FUNCTION papers_are_frozen();
"""

# An attempt's paper is a paper of its own exam, and what a paper has frozen stays named: else a question could go.
PAPERS = """
ALTER TABLE papers ADD CONSTRAINT paper_of_exam UNIQUE (id, exam_id);
ALTER TABLE attempts ADD CONSTRAINT attempt_has_a_paper_of_its_exam
    FOREIGN KEY (paper_id, exam_id) REFERENCES papers (id, exam_id) DEFERRABLE INITIALLY DEFERRED;
CREATE TRIGGER papers_are_frozen BEFORE UPDATE OR DELETE ON paper_questions
    FOR EACH ROW EXECUTE FUNCTION papers_are_frozen();
"""
PAPERS_BACK = """
DROP TRIGGER papers_are_frozen ON paper_questions;
ALTER TABLE attempts DROP CONSTRAINT attempt_has_a_paper_of_its_exam;
ALTER TABLE papers DROP CONSTRAINT paper_of_exam;
"""


class Migration(migrations.Migration):
    dependencies = [("exams", "0001_tables")]
    operations = [
        migrations.RunSQL(ANSWER_KEY, ANSWER_KEY_BACK),
        migrations.RunSQL(ROOM, ROOM_BACK),
        migrations.RunSQL(FROZEN, FROZEN_BACK),
        migrations.RunSQL(PAPERS, PAPERS_BACK),
    ]
