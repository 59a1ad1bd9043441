"""
Invented students with Indonesian names: number 7 is the same person on every machine.

The NISNs begin with 999, which no real one does (they begin with the year of birth).
"""

from __future__ import annotations

from exams.models import Student

_FIRST_NAMES = """
Aditya Agus Aisyah Anisa Arief Ayu Bagas Bayu Bima Cahya Citra Dewi Dian Dimas Dinda Eka Fajar Farhan Fitri Galih Gita
Hana Hendra Ilham Indah Intan Joko Kartika Krisna Laras Lestari Maya Melati Mega Nadia Nanda Nur Putri Rama Ratna Reza
Rizki Sari Satria Siti Surya Wahyu Yoga
"""
_LAST_NAMES = """
Siregar Nasution Harahap Simanjuntak Sitompul Tanjung Wijaya Kusuma Santoso Hidayat Rahman Hakim Suryadi Gunawan
Setiawan Halim Lubis Ginting Sembiring Manurung Panjaitan Pattinama Rumbiak Wenda Kogoya Mandowen Tandean Wirawan
Nugraha Permana Saputra Maulana Batubara Sinaga Latuconsina
"""
_FIRST, _LAST = _FIRST_NAMES.split(), _LAST_NAMES.split()
CLASSES = tuple(f"{grade}{letter}" for grade in "789" for letter in "ABC")
NISN_PREFIX = "999"


def invent(number: int) -> Student:
    """Student *number*, from 1, not stored. The first 1,680 have different names."""
    index = number - 1
    # 48 and 35 have no common divisor, so the pairs do not repeat before 48 x 35.
    return Student(
        username=f"siswa{number:03d}",
        nisn=f"{NISN_PREFIX}{number:07d}",
        name=f"{_FIRST[index % len(_FIRST)]} {_LAST[index % len(_LAST)]}",
        class_name=CLASSES[index % len(CLASSES)],
    )
