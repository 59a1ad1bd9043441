"""
The words that the exam page's scripts show.

Contract: key -> text in the language that is active, with `{n}`-like places that the scripts fill in (`texts.js`). The
key `x_one` is taken in place of `x` where n is 1. What a script asks for is here, and nothing else.

Not here: the words of the template (`templates/exams/exam.html`).
"""

from __future__ import annotations

from django.utils.translation import gettext as _


def texts() -> dict[str, str]:
    """Key -> text, for the page's boot data."""
    return {
        # opening
        "opening_no_network": _("There is no network. The page keeps trying; you need not do anything."),
        "opening_busy": _("The server is busy. The page keeps trying; you need not do anything."),
        "opening_locked": _(
            "A teacher has locked your exam. Ask the supervisor in the room; the page goes on when it is unlocked."
        ),
        "opening_broken": _(
            "Something went wrong on this page. Your answers are safe. Reload the page, and tell the "
            "supervisor if that does not help."
        ),
        "from_copy": _(
            "No connection yet. You see the questions as this device has kept them. Go on answering; "
            "everything is sent later."
        ),
        "recovered": _("Recovering {n} answers that could not be saved"),
        "recovered_one": _("Recovering 1 answer that could not be saved"),
        "was_damaged": _("Part of this browser's storage was damaged. Please check your answers."),
        # questions
        "question_title": _("Question {name} of {total}"),
        "reading_title": _("Reading {name}"),
        "reading_name": _("R{i}"),
        "points": _("{n} points"),
        "points_one": _("1 point"),
        "choose_one": _("Choose one answer."),
        "choose_several": _("Choose all that are right."),
        "true_or_false": _("Is this true or false?"),
        "true": _("True"),
        "false": _("False"),
        "match": _("Choose what belongs to each."),
        "choose": _("Choose…"),
        "your_answer": _("Your answer"),
        "your_number": _("Your answer, a number"),
        "your_essay": _("Your answer"),
        "number_hint": _("For example 12 or 3,5"),
        "no_number": _("This is not a number yet. It is kept as you typed it."),
        "read_as": _("Will be read as {number}"),
        "change_sign": _("Change the sign"),
        "characters": _("{count} of {limit} characters"),
        "too_long": _("{n} characters too many. Shorten the text: as it is, it cannot be saved. (At most {limit}.)"),
        "too_long_one": _("1 character too many. Shorten the text: as it is, it cannot be saved. (At most {limit}.)"),
        "refused": _("That was not added: the answer would be longer than {limit} characters."),
        "wide_part": _("Wide part of the question, scrolls sideways"),
        # grid
        "empty": _("Empty"),
        "saved": _("Saved on the server"),
        "waiting": _("Waiting, kept on this device"),
        "failed": _("Not saved"),
        "cell": _("Question {name}: {state}"),
        "cell_doubtful": _("Question {name}: {state}, doubtful"),
        "progress": _("{answered} of {all} answered"),
        # why an answer was not taken
        "reason_wrong_answer": _(
            "Not saved: the answer does not fit this question, or it is too long. Please change it."
        ),
        "reason_unknown_question": _(
            "Not saved: the server does not know this question in your paper. Tell the supervisor."
        ),
        "reason_too_large": _("Not saved: the answer is too large. Please shorten it."),
        "reason_save_refused": _(
            "Not saved: the server cannot store this answer. Write it differently, or tell the supervisor."
        ),
        "reason_other": _("Not saved: {reason} ({code}). Change the answer or tell the supervisor."),
        # the status line
        "status_saved": _("All answers are saved"),
        "status_sending": _("Saving {n} answers…"),
        "status_sending_one": _("Saving 1 answer…"),
        "status_waiting": _("{n} answers wait for the network"),
        "status_waiting_one": _("1 answer waits for the network"),
        "status_busy": _("The server is busy; {n} answers wait"),
        "status_busy_one": _("The server is busy; 1 answer waits"),
        "status_reconnected": _("Connected again, sending…"),
        "status_login": _("{n} answers wait until you have entered your PIN"),
        "status_login_one": _("1 answer waits until you have entered your PIN"),
        "status_login_none": _("Your session is over. Enter your PIN to go on."),
        "status_age": _("for {n} minutes"),
        "status_age_one": _("for 1 minute"),
        "status_closed": _("No answers are accepted at the moment"),
        "status_stopped": _("This page has stopped saving"),
        "status_failed": _("{n} answers could not be saved. See the marked questions."),
        "status_failed_one": _("1 answer could not be saved. See the marked question."),
        "safe_here": _("safe on this device"),
        "safe_while_open": _("safe only while this page stays open"),
        "not_durable": _(
            "This browser keeps nothing: answers that are not saved yet are safe only while this page stays "
            "open. Do not close or reload it."
        ),
        "from_device": _("Question {name} was changed on another device"),
        "from_device_many": _("{n} answers were changed on another device"),
        "locked": _(
            "A teacher has locked your exam. Ask the supervisor in the room. Your answers stay on this device."
        ),
        "unlocked": _("Unlocked. You can go on."),
        # the timer
        "time_left": _("Time left"),
        "estimated": _("estimate"),
        "minutes_left": _("{n} minutes left"),
        "minutes_left_one": _("1 minute left"),
        "more_time": _("You have more time. Go on."),
        # the PIN
        "pin_empty": _("Type the PIN that is on your card."),
        "pin_wrong": _("That is not the PIN of your card. Check it and try again."),
        "pin_wait": _("Too many tries. Wait {n} seconds."),
        "pin_wait_one": _("Too many tries. Wait 1 second."),
        "login_no_network": _("There is no network. Your answers stay on this device; try again."),
        "login_busy": _("The server is busy. Try again in a moment."),
        # handing in
        "submit_summary": _("{answered} of {total} questions are answered."),
        "list_empty": _("Empty: {n}"),
        "list_doubtful": _("Doubtful: {n}"),
        "list_waiting": _("Still waiting for the server: {n} (they are sent along)"),
        "list_failed": _("Not saved: {n} (please look at them)"),
        "go_to_question": _("Go to question {name}"),
        "submitting": _("Handing in…"),
        "handed_in": _("Handed in."),
        "trouble_network": _(
            "There is no network. Your answers are kept on this device, and the page keeps trying by itself."
        ),
        "trouble_busy": _("The server is busy. The page waits a moment and tries again by itself."),
        "trouble_login": _("Enter your PIN, then it is handed in."),
        # the end
        "time_up": _("Time is up"),
        "time_up_text": _("Your answers are handed in by themselves. Keep this page open."),
        "late": _("Not everything has arrived"),
        "late_text": _(
            "Time is up and {n} answers have not reached the server. They are still on this device. Keep "
            "this page open and call the supervisor. Not arrived:"
        ),
        "late_text_one": _(
            "Time is up and 1 answer has not reached the server. It is still on this device. Keep this page "
            "open and call the supervisor. Not arrived:"
        ),
        "late_complete_text": _(
            "All your answers are saved on the server. Only the receipt is missing; it comes when the network is back."
        ),
        "probably_over": _("Your time is probably over"),
        "probably_over_text": _(
            "Without network this device cannot know it for certain. These answers have not reached the "
            "server. Call the supervisor."
        ),
        "closed_elsewhere": _("Your exam has been handed in"),
        "closed_expired": _("Your time is over"),
        "comparing": _(
            "It was closed on another tab or device, or by the server. This page now compares its answers "
            "with the server's."
        ),
        "comparing_missing": _("Not on the server so far:"),
        "closed_complete_text": _("Everything that was answered here has arrived: {answered} answers."),
        "closed_missing": _("Handed in, but answers are missing"),
        "closed_missing_text": _(
            "{n} answers did not reach the server. They are still on this device. Call the supervisor. Not arrived:"
        ),
        "closed_missing_text_one": _(
            "1 answer did not reach the server. It is still on this device. Call the supervisor. Not arrived:"
        ),
        "emergency_offer": _(
            "Your answers can be carried to the school in an emergency file: download it and show this page "
            "to the supervisor."
        ),
        "emergency_impossible": _(
            "This page came over plain HTTP, where browsers cannot encrypt: there can be no emergency file. "
            "Do not clear this browser, and show this page to the supervisor now."
        ),
        "emergency_download": _("Download the emergency file"),
        "emergency_done": _(
            "The emergency file is in the downloads of this device. Give it to the supervisor as it is; your "
            "answers stay here as well."
        ),
        "emergency_failed": _(
            "The emergency file could not be made. Do not clear this browser, and show this page to the supervisor now."
        ),
        # the receipt's page (result.js)
        "undelivered_title": _("Answers on this device"),
        "undelivered": _("{n} answers on this device did not arrive."),
        "undelivered_one": _("{n} answer on this device did not arrive."),
        "undelivered_unsure": _(
            "{n} answers are still on this device, and the server cannot be asked about them now. Reload "
            "this page when the network is back."
        ),
        "undelivered_unsure_one": _(
            "{n} answer is still on this device, and the server cannot be asked about it now. Reload this "
            "page when the network is back."
        ),
        "undelivered_edited": _("They were written at these times:"),
        "undelivered_edited_one": _("It was written at this time:"),
    }
