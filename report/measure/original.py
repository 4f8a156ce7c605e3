"""The original report: a line of each of its samples, and the words in its passages, to compare ours with.

Magnus Pierrau, report for assignment 4 of DD2424, KTH, June 2020.
"""

LINES = {  # {step: the beginning of the original's sample at that step}
    0: "RBRHTm2\"TN•Ep9LE,ECH'D•XHeBN!IBT/eDTEBBx,Du7DB,R1BR/Sl!b;",
    10_000: 'CYabmer Roke ney cas the dokas Mas iw," Hherin "CBored',
    20_000: "ry talriug bagecy, supinged qurmbo to hadr of tade. The",
    30_000: 'loutly dith of rorken felbi, jus mooks of it. "Seis, ace',
    40_000: "tbade erabling. HHaid Migged her weaf ito- ghid Gromped",
    50_000: "d otowh aery, tho his similarny, the ovever, dvar and back",
    60_000: """or ane his prmoning twisn't it. Je""",
    70_000: 'expred thouge looked tossire gisparo!" "Yew int will,',
    80_000: "nobleded wiling of gitarly Hough th yous, I pleat steppen",
    90_000: "as when be mestily hesad thestily by, and Harry, eyen the",
    100_000: 'to bat im lucly, blapped bailin," se wown, stit edletly',
}
PASSAGES = {  # {passage of 1,000 characters: (counted words, the share of them that is in its book)}
    "the original, after 7 epochs": (180, 0.517),
    "the original, after 20 epochs": (173, 0.543),
}


def compared(texts):
    """Return {label: text} for our texts {step: text}. A label has a line of the original's sample at that step."""
    return {_label(step): text for step, text in texts.items()}


def _label(step):
    return f"Step {step:,} (the original: {LINES[step]} …)" if step in LINES else f"Step {step:,}"
