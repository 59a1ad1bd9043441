"""
Addresses of the students' pages and API.

`save-answer` and `save-answers` are routed in config/asgi.py, before Django.
"""

from django.urls import path

from exams import api, pages

urlpatterns = [
    path("", pages.home, name="home"),
    path("masuk", pages.login_page, name="student_login"),
    path("keluar", pages.logout, name="student_logout"),
    path("bahasa", pages.switch_language, name="switch_language"),
    path("ujian", pages.my_exams, name="my_exams"),
    path("ujian/<int:exam_id>", pages.exam_info, name="exam_info"),
    path("ujian/<int:exam_id>/hasil", pages.exam_result, name="exam_result"),
    path("siswa/ujian/<int:exam_id>", pages.exam_page, name="exam_page"),
    path("siswa/sw.js", pages.service_worker, name="service_worker"),
    path("api/auth/session", api.SessionView.as_view()),
    path("api/auth/login", api.LoginView.as_view()),
    path("api/auth/logout", api.LogoutView.as_view()),
    path("api/siswa/ujian", api.ExamListView.as_view()),
    path("api/siswa/ujian/<int:exam_id>/start", api.StartView.as_view()),
    path("api/siswa/ujian/<int:exam_id>/state", api.StateView.as_view()),
    path("api/siswa/ujian/<int:exam_id>/submit", api.SubmitView.as_view()),
    path("api/siswa/ujian/<int:exam_id>/result", api.ResultView.as_view()),
]
