"""Messages tell the truth of the outcome, in English and in Spanish."""

from __future__ import annotations

import string

import pytest

from remediators.notifier.notice import of
from remediators.notifier.wording import LANGUAGES, Wording, catalogue
from sereno.incident import Stage
from sereno.model import Reason, Status
from sereno.service import Notices

EN, ES = Wording(Notices()), Wording(Notices(language="es"))


def holes(sentence):
    return sorted(name for _, name, _, _ in string.Formatter().parse(sentence) if name)


def test_the_catalogues_say_the_same_things():
    english, spanish = (catalogue(language) for language in LANGUAGES)
    assert list(english) == list(spanish)
    assert {key: holes(text) for key, text in english.items()} == {key: holes(text) for key, text in spanish.items()}
    same = [key for key in english if english[key] == spanish[key]]
    assert same == ["digest.part"], "the others are translated"


def test_there_is_a_sentence_for_every_status_stage_and_reason():
    for language in LANGUAGES:
        known = catalogue(language)
        assert {f"status.{one}" for one in Status} <= set(known)
        assert {f"stage.{one}" for one in Stage} | {f"news.{one}" for one in Stage} <= set(known)
        assert {f"reason.{one}" for one in Reason} <= set(known)


@pytest.mark.parametrize(
    ("status", "changed", "english", "spanish"),
    [
        (
            "VERIFYING",
            {},
            "Sereno changed techmoda-read: reserved concurrency 120 → 240. It now looks whether the symptom goes.",
            "Sereno cambió techmoda-read: reserved concurrency 120 → 240. Ahora mira si el síntoma desaparece.",
        ),
        (
            "OBSERVED",
            {},
            "Sereno only watched. It would have changed techmoda-read: reserved concurrency 120 → 240. "
            "Nothing was changed.",
            "Sereno solo miró. Habría cambiado techmoda-read: reserved concurrency 120 → 240. No se cambió nada.",
        ),
        (
            "REVERTED",
            {},
            "Taken back: techmoda-read reserved concurrency 240 → 120. Nothing of this change is in force.",
            "Deshecho: techmoda-read reserved concurrency 240 → 120. De este cambio ya no queda nada en vigor.",
        ),
        (
            "SKIPPED",
            {"code": "NO_HEADROOM", "detail": "NO_HEADROOM: room for 3, 240 is needed"},
            "Sereno did nothing on techmoda-read: the account has no room for it (room for 3, 240 is needed).",
            "Sereno no hizo nada en techmoda-read: la cuenta no tiene sitio (room for 3, 240 is needed).",
        ),
        (
            "FAILED",
            {"code": "AWS_ERROR", "detail": "denied; what was done was taken back"},
            "Sereno could not change techmoda-read: AWS did not do what was asked (denied; what was done was taken "
            "back).",
            "Sereno no pudo cambiar techmoda-read: AWS no hizo lo que se le pidió (denied; what was done was taken "
            "back).",
        ),
        (
            "ESCALATED",
            {"code": "SYMPTOM_PERSISTS", "detail": "SYMPTOM_PERSISTS: 50 throttles"},
            "A person must look at techmoda-read: the change did not help (50 throttles).",
            "Una persona debe mirar techmoda-read: el cambio no sirvió (50 throttles).",
        ),
        (
            "ESCALATED",
            {"remediator": "open_incident"},
            "A person must look: techmoda/read/exhaustion is in ALARM. reserved concurrency: 120 -> 240",
            "Una persona debe mirarlo: techmoda/read/exhaustion está en ALARM. reserved concurrency: 120 -> 240",
        ),
        (
            "VERIFYING",
            {"changes": [{"setting": "reserved concurrency", "before": None, "after": 240}]},
            "Sereno changed techmoda-read: reserved concurrency nothing reserved → 240. It now looks whether the "
            "symptom goes.",
            "Sereno cambió techmoda-read: reserved concurrency nada reservado → 240. Ahora mira si el síntoma "
            "desaparece.",
        ),
        (
            "VERIFYING",
            {"target": {"name": "eu-west-1"}, "changes": [{"setting": "switch", "before": None, "after": "out"}]},
            "Sereno changed eu-west-1: switch not set → out. It now looks whether the symptom goes.",
            "Sereno cambió eu-west-1: switch sin poner → out. Ahora mira si el síntoma desaparece.",
        ),
        (
            "HOLDING",
            {
                "remediator": "fail_over",
                "target": {"name": "eu-west-1"},
                "changes": [{"setting": "switch", "before": None, "after": "out"}],
            },
            "Customers of eu-west-1 are served elsewhere: switch not set → out, until a person brings them back.",
            "Los clientes de eu-west-1 van a otra región: switch sin poner → out, hasta que una persona los traiga "
            "de vuelta.",
        ),
        (
            "HOLDING",
            {
                "remediator": "fail_back",
                "target": {"name": "eu-west-1"},
                "changes": [{"setting": "primary's share", "before": 50, "after": 100}],
            },
            "Customers are back in eu-west-1: primary's share 50 → 100. It stays so.",
            "Los clientes han vuelto a eu-west-1: primary's share 50 → 100. Así se queda.",
        ),
        (
            "KEPT",
            {"code": "DRIFTED", "detail": "DRIFTED: reserved concurrency is 80, expected 240; left as it is"},
            "Someone else changed techmoda-read. Sereno leaves it as it is now: somebody else changed the value "
            "(reserved concurrency is 80, expected 240; left as it is).",
            "Alguien más cambió techmoda-read. Sereno lo deja como está ahora: otra persona cambió el valor "
            "(reserved concurrency is 80, expected 240; left as it is).",
        ),
    ],
)
def test_the_truth_of_the_outcome_in_a_sentence(message, status, changed, english, spanish):
    notice = of(message(status, **changed))
    assert EN.sentence(notice) == english
    assert ES.sentence(notice) == spanish


def test_a_change_that_is_still_active_is_told_of_in_both_languages(message):
    notice = of(message("ESCALATED", reminder=True, detail="still active since 2026-09-29 12:08 UTC"))
    assert EN.sentence(notice).startswith("The change of techmoda-read is still active: reserved concurrency")
    assert "Revert it or keep it. " in EN.sentence(notice)
    assert ES.sentence(notice).startswith("El cambio de techmoda-read sigue activo: reserved concurrency")
    assert [button.verb for button in EN.post(notice).buttons][:2] == ["revert", "keep"]


def test_a_question_tells_until_when_it_may_be_answered_by_the_wall_clock(message):
    from deploy.config_notices import offsets

    madrid = Notices(language="es", timezone="Europe/Madrid", offsets=offsets("Europe/Madrid"))
    post = Wording(madrid).post(of(message("AWAITING_APPROVAL", high_risk=True)))
    assert ("Responder antes de", "14:30 Europe/Madrid") in post.facts
    assert ("Riesgo alto", "con cuidado: riesgo alto") in post.facts


def test_a_person_who_takes_or_silences_it_is_named(incident_message):
    taken = of(incident_message("ACKNOWLEDGED", by="ana"))
    assert EN.sentence(taken) == "ana has it."
    assert EN.post(taken).head == "techmoda-read: exhaustion: taken by ana"
    silent = of(incident_message("OPEN", phase="MUTED", detail="silent until 12:45 UTC"))
    assert ES.sentence(silent) == "Sin mensajes por un rato: silent until 12:45 UTC."


def test_links_lead_to_the_incident_where_there_is_a_page(message):
    there = Wording(Notices(page_url="https://on-call.example.com/"))
    assert there.post(of(message())).link == f"https://on-call.example.com/incidents/{message()['incident']}"
    assert there.post(of(message(incident=""))).link == f"https://on-call.example.com/remediations/{message()['id']}"
    assert EN.post(of(message())).link == ""


def test_a_language_that_is_not_there_is_an_error():
    with pytest.raises(KeyError):
        catalogue("../words/en")
