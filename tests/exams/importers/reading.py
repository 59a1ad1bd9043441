"""Questions as their author sees them: by texts, because the ids of options are random."""

from exams.content import QuestionContent


def choices(content: QuestionContent) -> dict[str, float]:
    """Give each option's text with its weight."""
    return {option.text: content.key.weights[option.id] for option in content.options.choices}


def pairs(content: QuestionContent) -> dict[str, str]:
    """Give each left-hand side of a matching question with its partner."""
    texts = {option.id: option.text for option in (*content.options.choices, *content.options.stems)}
    return {texts[stem]: texts[choice] for stem, choice in content.key.pairs.items()}


def feedback(content: QuestionContent) -> dict[str, str]:
    """Give the feedback by the text of its option, or by its key where that is no option's id."""
    texts = {option.id: option.text for option in (*content.options.choices, *content.options.stems)}
    return {texts.get(key, key): text for key, text in content.feedback.by_answer.items()}
