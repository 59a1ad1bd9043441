import pytest

from exams.content import AcceptedRange, AcceptedText, QuestionType, TextFormat
from exams.importers import gift
from tests.exams.importers.reading import choices, feedback, pairs


class TestChoices:
    def test_one_right_option_makes_a_multiple_choice(self, read_one):
        question = read_one("Ibu kota Jepang? {=Tokyo ~Kyoto ~Osaka}")
        assert question.type is QuestionType.MULTIPLE_CHOICE
        assert question.stem == "Ibu kota Jepang?"
        assert choices(question) == {"Tokyo": 100, "Kyoto": 0, "Osaka": 0}

    def test_options_keep_their_order(self, read_one):
        question = read_one("Q {~a =b ~c}")
        assert [option.text for option in question.options.choices] == ["a", "b", "c"]

    def test_options_may_be_glued_together(self, read_one):
        assert choices(read_one("Q\n{\n=Correct Answer~Other\n~Third=Fourth\n}")) == {
            "Correct Answer": 100,
            "Other": 0,
            "Third": 0,
            "Fourth": 100,
        }

    def test_partial_credit_stays_a_multiple_choice(self, read_one):
        question = read_one("Q {~wrong ~%50%half =full ~%-25%trap}")
        assert question.type is QuestionType.MULTIPLE_CHOICE
        assert choices(question) == {"wrong": 0, "half": 50, "full": 100, "trap": -25}

    def test_weights_without_a_right_option_make_a_multiple_response(self, read_one):
        question = read_one("Q {~%33.33333%a ~%33.33333%b ~%33,33333%c ~%-100%d ~e}")
        assert question.type is QuestionType.MULTIPLE_RESPONSE
        assert choices(question) == {"a": 33.33333, "b": 33.33333, "c": 33.33333, "d": -100, "e": 0}

    def test_right_options_that_share_the_points_make_a_multiple_response(self, read_one):
        question = read_one("Q {=%50%a =%50%b ~c}")
        assert question.type is QuestionType.MULTIPLE_RESPONSE
        assert choices(question) == {"a": 50, "b": 50, "c": 0}

    def test_a_weight_written_after_the_text_counts(self, read_one):
        assert choices(read_one("Q {=Correct%100% ~Wrong ~Half%50%}")) == {"Correct": 100, "Wrong": 0, "Half": 50}

    def test_percent_signs_in_a_text_are_no_weight(self, read_one):
        assert choices(read_one("Q {=naik 10% ~10% dari 20% ~%0%%d% text}")) == {
            "naik 10%": 100,
            "10% dari 20%": 0,
            "%d% text": 0,
        }

    def test_feedback_belongs_to_its_option(self, read_one):
        question = read_one("Q {=a#Right #1! ~b # No. ~c####All of it.}")
        assert feedback(question) == {"a": "Right #1!", "b": "No."}
        assert question.feedback.general == "All of it."

    def test_an_option_may_begin_with_a_hash(self, read_one):
        question = read_one("Which is red? {=#ff0000#Yes ~#00ff00}")
        assert choices(question) == {"#ff0000": 100, "#00ff00": 0}
        assert feedback(question) == {"#ff0000": "Yes"}

    def test_empty_feedback_before_the_general_one_is_none(self, read_one):
        question = read_one("Q {=a ~b#####General}")
        assert (feedback(question), question.feedback.general) == ({}, "General")


class TestOtherTypes:
    @pytest.mark.parametrize("answer", ["T", "TRUE", "true", " T "])
    def test_true(self, read_one, answer):
        question = read_one(f"1+1\\=2 {{{answer}}}")
        assert (question.type, question.key.answer) == (QuestionType.TRUE_FALSE, True)

    @pytest.mark.parametrize("answer", ["F", "FALSE", "f", "\nFALSE\n"])
    def test_false(self, read_one, answer):
        assert read_one(f"1+1\\=3 {{{answer}}}").key.answer is False

    def test_the_first_feedback_of_a_true_statement_is_for_who_said_false(self, read_one):
        assert feedback(read_one("Q {T#wrong#right####g}")) == {"false": "wrong", "true": "right"}

    def test_the_first_feedback_of_a_false_statement_is_for_who_said_true(self, read_one):
        assert feedback(read_one("Q {F#wrong}")) == {"true": "wrong"}

    def test_only_right_answers_make_a_short_answer(self, read_one):
        question = read_one("2+2? {=four =4#Good =%75%for =Correct*}")
        assert question.type is QuestionType.SHORT_ANSWER
        assert question.key.texts == [
            AcceptedText("four", 100),
            AcceptedText("4", 100),
            AcceptedText("for", 75),
            AcceptedText("Correct*", 100),
        ]
        assert feedback(question) == {"1": "Good"}

    def test_a_star_that_is_meant_keeps_its_backslash(self, read_one):
        assert read_one(r"Q {=2\*3}").key.texts == [AcceptedText(r"2\*3", 100)]

    def test_accepted_answers_of_an_html_question_are_what_students_type(self, read_one):
        question = read_one("[html]Which tag is <i>bold</i>? {=<b> =&lt;strong&gt;}")
        assert [accepted.text for accepted in question.key.texts] == ["<b>", "<strong>"]

    @pytest.mark.parametrize(
        ("answer", "low", "high"),
        [
            ("#42", "42", "42"),
            ("#3:2", "1", "5"),
            ("#1..5", "1", "5"),
            ("# -5 .. -1.5", "-5", "-1.5"),
            ("#=3.1415:0.0005", "3.1410", "3.1420"),
            ("#0.1:0.02", "0.08", "0.12"),
            ("#1e3", "1000", "1000"),
            ("#.5:.25", "0.25", "0.75"),
            ("#5\\:1", "4", "6"),
        ],
    )
    def test_numbers(self, read_one, answer, low, high):
        question = read_one(f"Q {{{answer}}}")
        assert question.type is QuestionType.NUMERICAL
        assert question.key.ranges == [AcceptedRange(low, high, 100)]

    def test_several_numbers_with_weights_and_feedback(self, read_one):
        question = read_one("When? {#\n=1822:0 # Correct!\n=%50%1822:2 # Half\n~#No.\n####General}")
        assert question.key.ranges == [AcceptedRange("1822", "1822", 100), AcceptedRange("1820", "1824", 50)]
        assert feedback(question) == {"0": "Correct!", "1": "Half", "*": "No."}
        assert question.feedback.general == "General"

    def test_matching(self, read_one):
        question = read_one("Match. {=cat -> cat food#Yes =dog->dog food = -> seed =puppy -> dog food}")
        assert question.type is QuestionType.MATCHING
        assert pairs(question) == {"cat": "cat food", "dog": "dog food", "puppy": "dog food"}
        assert [option.text for option in question.options.choices] == ["cat food", "dog food", "seed"]
        assert feedback(question) == {"cat": "Yes"}

    def test_empty_braces_make_an_essay(self, read_one):
        assert read_one("Why? {}").type is QuestionType.ESSAY
        assert read_one("Why? {\n}").type is QuestionType.ESSAY

    def test_an_essay_may_have_general_feedback(self, read_one):
        question = read_one("Why? {####Because.}")
        assert (question.type, question.feedback.general) == (QuestionType.ESSAY, "Because.")

    def test_no_braces_make_a_description(self, read_one):
        question = read_one("::Intro::Read this.\nThen go on.")
        assert (question.type, question.name) == (QuestionType.DESCRIPTION, "Intro")
        assert question.stem == "Read this.\nThen go on."


class TestText:
    def test_escapes(self, read_one):
        question = read_one(r"::a\:b::\{x\} \= \~ \# \: \\ \n! {=\=1\~ ~\#2 \{\}}")
        assert question.name == "a:b"
        assert question.stem == "{x} = ~ # : \\ \n!"
        assert choices(question) == {"=1~": 100, "#2 {}": 0}

    def test_a_backslash_before_another_letter_stays(self, read_one):
        assert read_one(r"\(x\) in C:\Users {T}").stem == r"\(x\) in C:\Users"

    def test_text_after_the_braces_leaves_a_gap(self, read_one):
        question = read_one("Grant is {~buried =entombed} in Grant's tomb.")
        assert question.stem == "Grant is _____ in Grant's tomb."

    def test_the_gap_is_safe_in_markdown(self, read_one):
        assert read_one("[markdown]Two plus {=two ~three} is four").stem == r"Two plus \_\_\_\_\_ is four"

    def test_character_references_are_kept_and_hide_no_feedback(self, read_one):
        question = read_one("[html]&#960; &beta; {=&#960;#Yes ~&#x3b4;}")
        assert question.stem == "π β"
        assert choices(question) == {"π": 100, "δ": 0}
        assert read_one("&#960; {=&#960; ~b}").stem == "&#960;"

    def test_no_format_is_plain_text(self, read_one):
        question = read_one("Is <b> bold? {=<b> ~<html>}")
        assert question.text_format is TextFormat.PLAIN
        assert choices(question) == {"<b>": 100, "<html>": 0}

    @pytest.mark.parametrize(("name", "expected"), [("html", "html"), ("MARKDOWN", "markdown"), ("plain", "plain")])
    def test_the_format_is_named_in_brackets(self, read_one, name, expected):
        assert read_one(f"::t::[{name}]Q {{T}}").text_format == expected

    def test_other_brackets_are_text(self, read_one):
        assert read_one("[latihan] Q {T}").stem == "[latihan] Q"

    def test_html_is_sanitised(self, read_one):
        question = read_one("[html]<p onclick='x()'>H<sub>2</sub>O</p><script>x()</script> {=<b>a</b> ~<html>}")
        assert question.stem == "<p>H<sub>2</sub>O</p>"
        assert choices(question) == {"<b>a</b>": 100, "&lt;html&gt;": 0}

    def test_the_moodle_format_keeps_line_breaks(self, read_one):
        question = read_one("[moodle]One <b>b</b>\ntwo\n<pre>x\ny</pre> {T}")
        assert question.text_format is TextFormat.HTML
        assert question.stem == "One <b>b</b><br>\ntwo<br>\n<pre>x\ny</pre>"

    def test_an_answer_in_another_format_makes_all_of_it_html(self, read_one):
        question = read_one("1 < 2\nright? {=[html]<i>yes</i>#[markdown]*so* ~<no>}")
        assert question.text_format is TextFormat.HTML
        assert question.stem == "1 &lt; 2<br>right?"
        assert choices(question) == {"<i>yes</i>": 100, "&lt;no&gt;": 0}
        assert feedback(question) == {"<i>yes</i>": "<p><em>so</em></p>"}

    def test_an_answer_in_the_same_format_changes_nothing(self, read_one):
        question = read_one("[markdown]Q {=[markdown]*a* ~b}")
        assert question.text_format is TextFormat.MARKDOWN
        assert choices(question) == {"*a*": 100, "b": 0}


class TestBraces:
    def test_braces_in_the_text_that_hold_no_answers_are_text(self, read_one):
        question = read_one("What does {{ variable }} or {1, 2} do?\n{\n=x\n~y\n}")
        assert question.stem == "What does {{ variable }} or {1, 2} do?"

    def test_empty_braces_in_the_text_are_text_if_others_hold_answers(self, read_one):
        assert read_one("What is {} in Python? {=dict ~set}").stem == "What is {} in Python?"

    def test_braces_in_the_options_are_text(self, read_one):
        question = read_one("Which is logic?\n{\n={% url %}\n~{{ }}\n~<% %>\n}")
        assert choices(question) == {"{% url %}": 100, "{{ }}": 0, "<% %>": 0}

    def test_a_brace_that_the_next_option_follows_does_not_end_the_answers(self, read_one):
        question = read_one("Which is logic?\n{\n=Use url %}\n~{{ }}\n~[[ ]]\n}")
        assert choices(question) == {"Use url %}": 100, "{{ }}": 0, "[[ ]]": 0}

    def test_an_equals_sign_after_the_answers_is_text(self, read_one):
        assert read_one("2 + {=2 ~3} = 4").stem == "2 + _____ = 4"


class TestRefusals:
    @pytest.mark.parametrize(
        ("text", "part"),
        [
            ("Q {=a ~b", "never closed"),
            ("Q {=a ~b} ~c}", "} without a {"),
            ("Q {=a ~b}\nR {=c ~d}", "two pairs of braces"),
            ("Q {a ~b}", "hold no answers"),
            ("A = {1, 2, 3}", "hold no answers"),
            ("Q\n=a\n~b", "no { and }"),
            ("Q {~a ~b}", "No option is right"),
            ("Q {=%50%a ~b}", "No option is right"),
            ("Q {~a}", "fewer than two options"),
            ("Q {=a ~ ~c}", "empty"),
            ("Q {=%abc%a ~b}", "%abc% is not a number"),
            ("Q {=%101%a =b ~c}", "101 %"),
            ("Q {=%0%a}", "No accepted answer"),
            ("Q {=}", "empty"),
            ("Q {#}", "No accepted number"),
            ("Q {#abc}", "“abc” is not a number"),
            ("Q {#3,14}", "as a point"),
            ("Q {#3:-1}", "negative"),
            ("Q {#5..1}", "from 5 to 1 is empty"),
            ("Q {#1e99999}", "not a number"),
            ("Q {=a -> b}", "fewer than two pairs"),
            ("Q {=a -> b =c}", "“c” has no “->”"),
            ("Q {=a -> b =c ->}", "Nothing stands after"),
            ("Q {=%50%a -> b =c -> d}", "cannot have a weight"),
            ("::Q {T}", "title is never closed"),
            ("::Q:: {T}", "no text"),
            ("Q\x00 {T}", "NUL"),
            ("Q {=a\ud800 ~b}", "broken Unicode"),
            ("Q {=" + "~x" * 200 + "}", "more than 100"),
            ("[html]" + "x" * 50_001 + "{T}", "longer than 50,000"),
            ("Q {=" + "x" * 10_001 + " ~b}", "longer than 10,000"),
            ("x" * 3_000_000, "longer than 2,050,000"),
        ],
    )
    def test_a_question_that_cannot_be_used_is_refused_with_the_reason(self, refusal, text, part):
        assert part in refusal(text)

    def test_a_refusal_names_line_and_title_and_the_others_are_read(self):
        result = gift.parse(
            "// comment\n\n::One:: 1 {T}\n\n::Two:: 2 {~a ~b}\n\n\nThree\nis bad {=a\n\n::Four:: 4 {F}\n"
        )
        assert [(question.line, question.content.name) for question in result.questions] == [(3, "One"), (11, "Four")]
        assert [(bad.line, bad.name) for bad in result.bad] == [(5, "Two"), (8, "Three is bad {=a")]
