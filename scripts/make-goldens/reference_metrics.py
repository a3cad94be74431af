"""Fills in Tests/Goldens/evaluation: metrics, tests and intervals as other software has them.

    pip install -r scripts/requirements-metrics.txt && \
        python scripts/make-goldens/reference_metrics.py

Everything random comes from fixed seeds. Numbers keep 12 digits.
"""

import json
import pathlib
import pydoc_data.topics
import random
import re
import warnings

import numpy as np
import sacrebleu
import torch
from nltk.stem.porter import PorterStemmer
from rouge_score.rouge_scorer import RougeScorer
from sacrebleu.significance import _compute_p_value
from sacrebleu.tokenizers.tokenizer_13a import Tokenizer13a
from scipy import stats
from shapely.geometry import box
from sklearn import calibration, metrics
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint
from torchmetrics.functional.classification import binary_calibration_error
from torchmetrics.functional.text import squad

FOLDER = pathlib.Path(__file__).parents[2] / "Tests/Goldens/evaluation"

WORDS = """the a an scratch on left door of car is 3.5 mm long , deep and dirty no damage was
found near rear bumper relational hopefully invoices totals $1,234.50 don't stop. (hi) U.S.A. 10-12
naïve Straße ΣΊΣΥΦΟΣ İstanbul 漢字 😀 e\u0301clair &amp; &lt;b&gt; <skipped> end-\nof line running
skies happily""".split(" ")

ODD = [
    ("", ["something"]), ("something", [""]), ("", [""]), (" \n\t ", ["the"]), ("The", ["a the"]),
    ("a", ["a"]), ("cat", ["cat"]), ("the cat sat", ["the cat sat"]), ("...", ["..."]),
    (",,,.5.5,,", [",,, .5.5,"]), ("1,000.00-2", ["1,000.00 -2"]), ("(hi)", ["(hi"]),
    ("x" * 40, ["x" * 39]), ("\x1c\x1d\x85\u00a0\u2028b c", ["b c"]), ("K Å ﬁ", ["k å fi"]),
    ("a\u0301 an the_", ["\u00e1 the"]), ("a an the", ["the"]), ("&quot;x&quot;-\ny", ["\"x\"y"]),
    ("sky skies dying news generically", ["skies sky die new generic"]),
    ("\U0001f468\u200d\U0001f469\u200d\U0001f467 family", ["family"]), ("١٢٣.٤", ["١٢٣ . ٤"]),
]


def rounded(value):
    return float(f"{float(value):.12g}")


def sentences(seed, rows, references):
    source = random.Random(seed)
    result = []
    for _ in range(rows):
        own = [source.choice(WORDS) for _ in range(source.randrange(1, 25))]
        others = []
        for _ in range(references):
            other = [w if source.random() < 0.75 else source.choice(WORDS) for w in own]
            others.append(" ".join(other[: max(1, len(other) - source.randrange(4))]))
        result.append((" ".join(own), others))
    return result


def rouge(answer, references, stems):
    scorer = RougeScorer(["rouge1", "rouge2", "rougeL"], use_stemmer=stems)
    found = scorer.score_multi(references, answer)
    return [[rounded(v) for v in found[k][:2]] for k in ["rouge1", "rouge2", "rougeL"]]


def text_case(answer, references):
    match = squad([{"prediction_text": answer, "id": "0"}],
                  [{"answers": {"answer_start": [0] * len(references), "text": references},
                    "id": "0"}])
    return {
        "answer": answer, "references": references, "tokens": Tokenizer13a()(answer.rstrip()),
        "bleu": rounded(sacrebleu.sentence_bleu(answer, references).score),
        "chrf": rounded(sacrebleu.sentence_chrf(answer, references).score),
        "chrf++": rounded(sacrebleu.sentence_chrf(answer, references, word_order=2).score),
        "rouge": rouge(answer, references, False), "stemmed": rouge(answer, references, True),
        "exact": rounded(match["exact_match"]), "f1": rounded(match["f1"]),
    }


def corpus(name, pairs):
    answers = [answer for answer, _ in pairs]
    streams = [list(stream) for stream in zip(*[others for _, others in pairs])]
    return {
        "name": name, "rows": [text_case(*pair) for pair in pairs],
        "bleu": rounded(sacrebleu.corpus_bleu(answers, streams).score),
        "chrf": rounded(sacrebleu.corpus_chrf(answers, streams).score),
        "chrf++": rounded(sacrebleu.corpus_chrf(answers, streams, word_order=2).score),
    }


def texts():
    short = [("no scratch", ["a scratch"]), ("yes", ["no"]), ("left door", ["door"])]
    return [corpus("odd", ODD), corpus("one reference", sentences(1, 25, 1)),
            corpus("three references", sentences(2, 12, 3)), corpus("short", short)]


def stems():
    """Words of Python's own documentation, and suffixes on stems of all shapes."""
    found = set(re.findall(r"[a-z]{4,}", " ".join(pydoc_data.topics.topics.values()).lower()))
    chosen = random.Random(3).sample(sorted(found), 900)
    roots = ["a", "by", "tr", "ivy", "oats", "hop", "fall", "geo", "toy", "syzyg", "abil", "x1"]
    ends = """sses ies s ied eed ed ing y ational tional enci anci izer bli alli entli eli ousli
    ization ation ator alism iveness fulness ousness aliti iviti biliti fulli logi icate ative
    alize iciti ical ful ness al ance ence er ic able ible ant ement ment ent sion tion ou ism ate
    iti ous ive ize e ll ated bled ized ssing lling tting""".split()
    words = chosen + [root + end for root in roots for end in ends] + [
        "sky", "skies", "dying", "lying", "tying", "news", "innings", "outing", "cannings", "howe",
        "proceed", "exceed", "succeed", "dies", "flies", "spied", "yyyy", "enjoy"]
    stemmer = PorterStemmer()
    return " ".join(f"{word}:{stemmer.stem(word)}" for word in words)


def class_case(name, actual, predicted, listed):
    """Classes are numbers; `listed` are those that averages are over."""
    def averages(kind):
        found = metrics.precision_recall_fscore_support(
            actual, predicted, labels=listed, average=kind, zero_division=0)
        return [rounded(v) for v in found[:3]]

    each = metrics.precision_recall_fscore_support(
        actual, predicted, labels=listed, zero_division=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        balanced = metrics.balanced_accuracy_score(actual, predicted)
    return {
        "name": name, "actual": actual, "predicted": predicted, "listed": listed,
        "accuracy": rounded(metrics.accuracy_score(actual, predicted)),
        "balanced": rounded(balanced), "mcc": rounded(metrics.matthews_corrcoef(actual, predicted)),
        "each": [[rounded(v) for v in row] for row in zip(*each)],
        "macro": averages("macro"), "micro": averages("micro"), "weighted": averages("weighted"),
        "confusion": metrics.confusion_matrix(actual, predicted).tolist(),
    }


def classes():
    source = random.Random(4)

    def drawn(rows, count, right):
        actual = [min(source.randrange(count), source.randrange(count)) for _ in range(rows)]
        return actual, [a if source.random() < right else source.randrange(count) for a in actual]

    cases = [class_case(f"{rows} rows of {count}", *drawn(rows, count, right), list(range(count)))
             for rows, count, right in [(80, 2, 0.8), (150, 5, 0.7), (60, 3, 0.1)]]
    actual, predicted = drawn(90, 4, 0.6)
    # The last class is what the reader could not place: an error, and no class of its own.
    cases.append(class_case("outside", [min(a, 2) for a in actual], predicted, [0, 1, 2]))
    cases.append(class_case("all right", [0, 1, 2, 0], [0, 1, 2, 0], [0, 1, 2]))
    cases.append(class_case("one class", [0, 0, 0], [0, 0, 0], [0]))
    cases.append(class_case("never right", [0, 0, 1], [1, 1, 0], [0, 1]))
    return cases


def rankings():
    source = np.random.default_rng(5)
    cases = []
    for rows, digits in [(40, 6), (60, 1), (30, 0)]:
        scores = np.round(source.random(rows), digits)
        positive = source.random(rows) < 0.2 + 0.5 * scores
        cases.append({
            "scores": scores.tolist(), "positive": positive.tolist(),
            "auc": rounded(metrics.roc_auc_score(positive, scores)),
            "precision": rounded(metrics.average_precision_score(positive, scores))})
    return cases


def intervals():
    source = np.random.default_rng(6)
    cases = []
    samples = [source.random(25) ** 3, source.integers(0, 2, 40).astype(float),
               source.normal(0, 1, 12)]
    for values in samples:
        case = {"values": [rounded(v) for v in values]}
        values = np.array(case["values"])
        for name, method in [("percentile", "percentile"), ("accelerated", "BCa")]:
            found = stats.bootstrap(
                (values,), np.mean, n_resamples=300, method=method, rng=np.random.default_rng(7),
                confidence_level=0.9)
            case["draws"] = [rounded(v) for v in found.bootstrap_distribution]
            case[name] = [rounded(v) for v in found.confidence_interval]
        cases.append(case)
    return cases


def tests():
    source = np.random.default_rng(8)
    pairs = [(0, 0), (5, 0), (3, 9), (10, 10), (12, 13), (40, 15), (300, 290), (0, 200)]
    tables = [[3, 20, 90, 100], [0, 4, 10, 12], [19, 20, 50, 90], [10, 10, 10, 10]]
    samples = [[source.normal(m, s, n).round(6).tolist() for m, s, n in both] for both in [
        ((0, 1, 12), (0.4, 2, 30)), ((1, 0.1, 5), (0.5, 0.3, 7)), ((0, 1, 2), (0, 1, 2))]]
    lines = []
    for count, slope, noise in [(3, 1, 0.5), (20, -0.01, 0.1), (50, 0, 1), (4, 2, 0)]:
        x = np.arange(count) * 10.0
        y = (slope * x + source.normal(0, 1, count) * noise).round(6)
        found = stats.linregress(x, y)
        lines.append({"x": x.tolist(), "y": y.tolist(), "slope": rounded(found.slope),
                      "error": rounded(found.stderr), "intercept": rounded(found.intercept)})
    probabilities = [0.01, 0.04, 0.03, 0.005, 0.5, 0.04]
    paired = [source.normal(d, 1, 60).round(6).tolist() for d in [0.0, 1.0, 2.5]]
    return {
        "mcnemar": [[a, b, rounded(mcnemar([[0, a], [b, 0]], exact=True).pvalue),
                     rounded(mcnemar([[0, a], [b, 0]], exact=False).pvalue) if a + b else 1]
                    for a, b in pairs],
        "fisher": [t + [rounded(stats.fisher_exact(
            [[t[0], t[1] - t[0]], [t[2], t[3] - t[2]]], "less").pvalue)] for t in tables],
        "welch": [{"group": a, "rest": b, "p": rounded(
            stats.ttest_ind(a, b, equal_var=False, alternative="less").pvalue)}
            for a, b in samples],
        "lines": lines,
        "holm": {"p": probabilities, "corrected": [
            rounded(v) for v in multipletests(probabilities, method="holm")[1]]},
        "wilson": [[k, n] + [rounded(v) for v in proportion_confint(k, n, 0.05, "wilson")]
                   for k, n in [(0, 5), (3, 7), (190, 200), (5, 5)]],
        "paired": [{"draws": d, "difference": d[0], "p": rounded(
            _compute_p_value(np.abs(np.array(d[1:]) - np.mean(d[1:])), abs(d[0])))}
            for d in paired],
    }


def calibrations():
    source = np.random.default_rng(9)
    cases = []
    for rows, bins, power in [(120, 10, 1.0), (60, 15, 2.5), (30, 5, 0.3)]:
        confidence = source.random(rows).round(6)
        right = source.random(rows) < confidence**power
        tensors = (torch.tensor(confidence), torch.tensor(right.astype(int)))
        accuracy, mean = calibration.calibration_curve(right, confidence, n_bins=bins)
        logits = np.log(confidence / (1 - confidence))
        model = calibration._TemperatureScaling().fit(logits / 2, right.astype(float))
        cases.append({
            "confidence": confidence.tolist(), "right": right.tolist(), "bins": bins,
            "expected": rounded(binary_calibration_error(*tensors, n_bins=bins, norm="l1")),
            "largest": rounded(binary_calibration_error(*tensors, n_bins=bins, norm="max")),
            "brier": rounded(metrics.brier_score_loss(right, confidence)),
            "accuracy": [rounded(v) for v in accuracy], "mean": [rounded(v) for v in mean],
            "temperature": rounded(1 / model.beta_)})
    logits = source.normal(0, 3, (50, 4)).round(4)
    chosen = [int(source.choice(4, p=np.exp(z / 2) / np.exp(z / 2).sum())) for z in logits]
    model = calibration._TemperatureScaling().fit(logits, np.array(chosen, float))
    many = {"logits": logits.tolist(), "classes": chosen, "temperature": rounded(1 / model.beta_)}
    return {"binary": cases, "many": many}


def boxes():
    source = random.Random(10)
    cases = []
    for _ in range(20):
        both = []
        for _ in range(2):
            x, y = source.randrange(20), source.randrange(20)
            both.append([x, y, x + source.randrange(1, 20), y + source.randrange(1, 20)])
        first, second = (box(*corners) for corners in both)
        cases.append(both + [rounded(first.intersection(second).area / first.union(second).area)])
    return cases


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    parts = {"texts": texts(), "stems": stems(), "classes": classes(), "rankings": rankings(),
             "intervals": intervals(), "tests": tests(), "calibrations": calibrations(),
             "boxes": boxes()}
    for name, part in parts.items():
        (FOLDER / f"{name}.json").write_text(json.dumps(part, ensure_ascii=False) + "\n")


main()
