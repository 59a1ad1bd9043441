from exams.importers.gift_split import split


def cut(text: str) -> list[tuple[int, str]]:
    return [(source.line, source.text) for source in split(text)]


def test_blank_lines_separate_questions():
    assert cut("\n\nA {T}\n \t\nB {F}\n") == [(3, "A {T}"), (5, "B {F}")]


def test_a_title_begins_a_question_without_a_blank_line():
    assert cut("::a::A {T}\n::b::B {F}") == [(1, "::a::A {T}"), (2, "::b::B {F}")]


def test_a_title_may_run_over_two_lines():
    assert cut("::a long\n:: A {T}") == [(1, "::a long\n:: A {T}")]


def test_comments_are_left_out_and_lines_are_still_counted():
    assert cut("// one\nA http://x.id {\n  // two\n=b // kept\n}") == [(2, "A http://x.id {\n=b // kept\n}")]


def test_categories_hold_for_what_follows():
    sources = split("A {T}\n\n$CATEGORY: IPA/Fisika\nB {T}\n\n$category: $course$/top/IPS\n\nC {F}")
    assert [(source.text, source.category) for source in sources] == [
        ("A {T}", ""),
        ("B {T}", "IPA/Fisika"),
        ("C {F}", "IPS"),
    ]


def test_a_category_fits_into_the_database():
    (source,) = split("$CATEGORY: a\x00\ud800" + "b" * 300 + "\nA {T}")
    assert source.category == "a\ufffd\ufffd" + "b" * 252


def test_blank_lines_inside_the_answers_do_not_end_a_question():
    text = "A {\n\n=one\n\n~two\nand more\n\nmore of it\n\n}"
    assert cut(text) == [(1, text)]


def test_a_forgotten_brace_costs_one_question():
    assert cut("A {\n=one\n~two\n\nB {=x ~y}\n\nC {T}") == [
        (1, "A {\n=one\n~two"),
        (5, "B {=x ~y}"),
        (7, "C {T}"),
    ]


def test_a_forgotten_brace_before_a_title_or_a_category_costs_one_question():
    assert cut("A {=one\n\n::b::\nB }") == [(1, "A {=one"), (3, "::b::\nB }")]
    assert cut("A {=one\n\n$CATEGORY: x\n\n} B") == [(1, "A {=one"), (5, "} B")]


def test_a_blank_line_inside_pre_does_not_end_a_question():
    text = "::a::[html]<pre>\nint main() {\n\n  if (x) { y(); }\n\n}\n</pre>\n{}"
    assert cut(text) == [(1, text)]


def test_a_pre_that_is_never_closed_costs_one_question():
    assert cut("A <pre> {T}\n\nB {T}\n\n::c::C </pre> {T}") == [
        (1, "A <pre> {T}"),
        (3, "B {T}"),
        (5, "::c::C </pre> {T}"),
    ]


def test_escaped_braces_are_not_open():
    assert cut("A \\{ {T}\n\nB } {T}") == [(1, "A \\{ {T}"), (3, "B } {T}")]
