from django.urls import path

from bench.peers.naive.views import Alive, SaveAnswer

urlpatterns = [
    path("alive", Alive.as_view()),
    path("exams/<int:exam_id>/answers", SaveAnswer.as_view()),
]
