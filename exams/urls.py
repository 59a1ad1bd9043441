"""Addresses of the students' API. `save-answer` and `save-answers` are routed in config/asgi.py, before Django."""

from django.urls import path

from exams import api

urlpatterns = [
    path("api/auth/session", api.SessionView.as_view()),
    path("api/auth/login", api.LoginView.as_view()),
    path("api/auth/logout", api.LogoutView.as_view()),
    path("api/siswa/ujian", api.ExamListView.as_view()),
    path("api/siswa/ujian/<int:exam_id>/start", api.StartView.as_view()),
    path("api/siswa/ujian/<int:exam_id>/state", api.StateView.as_view()),
    path("api/siswa/ujian/<int:exam_id>/submit", api.SubmitView.as_view()),
    path("api/siswa/ujian/<int:exam_id>/result", api.ResultView.as_view()),
]
