"""Students and their exam cards in the admin."""

import re

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission

from exams import cards
from exams.models import Student
from tests.exams.admin.pages import act, list_of, messages_of, page_of
from tests.exams.factories import make_attempt, make_student

pytestmark = pytest.mark.django_db


def ask(client, students, **fields) -> dict[str, str]:
    """Open the confirmation page for *students* and give what its form would send."""
    response = act(client, "new_exam_cards", students, **fields)
    assert response.status_code == 200
    hidden = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', response.content.decode())
    return {name: value for name, value in hidden if name != "csrfmiddlewaretoken"}


def test_new_cards_are_asked_for_first_and_nothing_happens_before(admin_client):
    student = make_student()
    [card] = cards.issue_cards([student])
    body = act(admin_client, "new_exam_cards", [student, make_student()]).content.decode()
    assert "2 students get new exam cards" in body
    assert "1 of them has a card already: it becomes void" in body
    assert cards.student_with_card(username=card.username, pin=card.pin) == student


def test_confirmed_cards_are_shown_once_and_let_students_in(admin_client):
    student = make_student(name="Siti <b>Rahma</b>")
    [old] = cards.issue_cards([student])
    response = admin_client.post(list_of(Student), ask(admin_client, [student]))
    body = response.content.decode()
    assert "no-store" in response["Cache-Control"]
    assert "Siti &lt;b&gt;Rahma&lt;/b&gt;" in body
    [pin] = re.findall(r"<dd>(\w{4}-\w{4})</dd>", body)
    assert cards.student_with_card(username=student.username, pin=pin) == student
    assert cards.student_with_card(username=student.username, pin=old.pin) is None
    assert LogEntry.objects.filter(object_id=str(student.pk), change_message="New exam card.").count() == 1


def test_sending_the_confirmation_again_makes_no_new_pins(admin_client):
    student = make_student()
    confirmation = ask(admin_client, [student])
    body = admin_client.post(list_of(Student), confirmation).content.decode()
    [pin] = re.findall(r"<dd>(\w{4}-\w{4})</dd>", body)
    again = admin_client.post(list_of(Student), confirmation)
    assert again.status_code == 302
    assert "made and shown already" in messages_of(again)
    assert cards.student_with_card(username=student.username, pin=pin) == student


def test_a_made_up_confirmation_makes_no_cards(admin_client):
    student = make_student()
    response = act(admin_client, "new_exam_cards", [student], confirmation="x")
    assert response.status_code == 302
    student.refresh_from_db()
    assert student.pin_hmac == ""


def test_cards_for_a_whole_filtered_list(admin_client):
    wanted = [make_student(class_name="9C") for _ in range(3)]
    other = make_student(class_name="7A")
    url = f"{list_of(Student)}?class_name=9C"
    data = {"action": "new_exam_cards", "_selected_action": [wanted[0].pk], "index": 0, "select_across": 1}
    asked = admin_client.post(url, data).content.decode()
    assert "3 students get new exam cards" in asked
    hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', asked))
    body = admin_client.post(url, hidden).content.decode()
    assert sorted(re.findall(r"<dd>(siswa\d+)</dd>", body)) == sorted(student.username for student in wanted)
    other.refresh_from_db()
    assert other.pin_hmac == ""


def test_cards_need_the_permission_to_change_students(client, django_user_model):
    user = django_user_model.objects.create_user("piket", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_student"))
    client.force_login(user)
    student = make_student()
    response = act(client, "new_exam_cards", [student])
    assert "confirmation" not in response.content.decode()
    student.refresh_from_db()
    assert student.pin_hmac == ""


def test_a_new_user_name_voids_the_card_and_says_so(admin_client):
    student = make_student()
    cards.issue_cards([student])
    data = {"name": student.name, "class_name": "", "nisn": student.nisn, "username": "Baru.1", "is_active": "on"}
    response = admin_client.post(page_of(student), data)
    student.refresh_from_db()
    assert (student.username, student.pin_hmac) == ("baru.1", "")
    assert "old exam card is void" in messages_of(response)


def test_a_phone_number_is_stored_as_digits(admin_client):
    student = make_student()
    data = {
        "name": student.name, "nisn": student.nisn, "username": student.username, "parent_phone": "0812-3456-7890",
    }  # fmt: skip
    assert admin_client.post(page_of(student), data).status_code == 302
    student.refresh_from_db()
    assert student.parent_phone == "6281234567890"
    assert not student.is_active


def test_the_list_finds_who_has_no_card(admin_client):
    with_card, without = make_student(name="Ada"), make_student(name="Belum")
    cards.issue_cards([with_card])
    result = admin_client.get(list_of(Student), {"card": "no"}).context["cl"].queryset
    assert list(result) == [without]


def test_a_student_with_an_attempt_cannot_be_deleted(admin_client):
    attempt = make_attempt()
    response = admin_client.post(page_of(attempt.student, "delete"), {"post": "yes"})
    assert response.status_code == 200
    assert "would require deleting the following protected related objects" in response.content.decode()
    assert Student.objects.filter(pk=attempt.student_id).exists()
