"""The built-in news: made-up articles of one sentence and their headlines, written by a small grammar.

It needs no network and no files, so that examples and tests run anywhere. An article says who did what, where, when,
why and according to whom; its headline leaves out the last three and most of the first, and says the rest in the
present tense. All names, places and events are invented.
"""

from __future__ import annotations

import random
import re

from datasets import Dataset, DatasetDict, Features, Value

SPLIT_SIZES = {"train": 4_000, "validation": 300, "test": 300}
NUM_TITLES = 3_000
DOCUMENT_WORDS = (15, 35)
SUMMARY_WORDS = (5, 10)


def _phrases(text: str) -> tuple[tuple[str, str], ...]:
    """Phrases that are parted by commas, each as it is in an article and, after a slash, in a headline."""
    # The comma of "#,###" parts nothing.
    pairs = (phrase.strip().partition("/") for phrase in re.split(r"(?<!#),|,\s", text))
    return tuple((article, headline if slash else article) for article, slash, headline in pairs)


_TOWNS = _phrases("""
    brenmoor, calverport, dunsel, eastmarch, farrowgate, gildenau, harnwick, isselby, jorvale, kestrin, lomond bay,
    marrowby, nethercombe, ostwick, pellmouth, quarrow, rendale, silverholt, tarnbrook, ulverton, vossberg, wexmoor,
    yarrowdale, zellin, port amsel, saint orrin, new halden, upper thessing""")
_NATIONS = _phrases("""
    zorvia/zorvian, kelmar/kelmari, ostrania/ostranian, belduria/beldurian, tessaly/tessalian, morvane/morvanian,
    ilvaria/ilvarian, quandor/quandori, lustria/lustrian, harkland/harklandic, serrano isles/serranian,
    vandia/vandian, north trevia/trevian, palmeria/palmerian""")
_FIRMS = _phrases("""
    velmora, tandrix, norbelt, quillon, harvane, brightwell, osmeta, plenora, castrel, dunmore, ferrolux, gantry,
    helixor, ivoran, juntaro, korvex, lumetra, mandrill, nexaline, orbitane, pellucid, rothmark, solvane, trellis,
    umbrion, vantier, westlock, xandria, yolander, zephyrine, arcadon, bluestem, copperfield, drayton""")
_GIVEN, _FAMILY = (
    names.split()
    for names in (
        """
    anna bela carlo dario elda fenn gorin hilde ivo jana karel lena milo nora otto petra rufus sanna tomas ursa viktor
    wanda yorick zelda""",
        """
    abrens bellock corvin dastane ellmark forsby gransky hollin istvane jorrick kaldor lindqvar marlowe norrin oxley
    pravin quist rosmer stahlin torvald umber valdane wendell yelland zander ashcombe brandt crowle dunning eversley
""",
    )
)
_SUFFIXES = ("corp.", "inc.", "ltd.", "group", "holdings")

# Of each slot its values; the slot in capitals is the same thing as a headline has it.
_SLOTS = {
    "town": _TOWNS,
    "town2": _TOWNS,
    "nation": _NATIONS,
    "nation2": _NATIONS,
    "day": _phrases(
        "on monday, on tuesday, on wednesday, on thursday, on friday, on saturday, on sunday, late monday,"
        "early tuesday, late thursday, early friday, this week, over the weekend"
    ),
    "few": _phrases("two, three, four, five, six, seven, eight, nine"),
    "many": _phrases("##, ##, ###, at least ##/##, more than ###/###, nearly #,###/#,###, about #,###/#,###"),
    "percent": _phrases("# percent/# pct, #.# percent/#.# pct, ## percent/## pct, ##.# percent/##.# pct"),
    "money": _phrases("## million, ### million, #.# billion, ## billion"),
    "when": _phrases("last year, last month, in the first quarter, in the third quarter, in ####, since january"),
    "size": _phrases(
        "large, small, leading, struggling, fast-growing, family-owned, state-owned, century-old, listed"
    ),
    "trade": _phrases(
        "steel/steelmaker, airline/airline, bank/bank, shipping/shipper, software/software maker, mining/miner,"
        "insurance/insurer, brewing/brewer, paper/paper maker, car/carmaker, toy/toymaker, drug/drugmaker"
    ),
    "goods": _phrases(
        "steel, copper, timber, wheat, coffee, sugar, cement, cotton, natural gas, crude oil, electricity, fish, tea"
    ),
    "ministry": _phrases(
        "finance, trade, interior, foreign, health, transport, defense, energy, justice, education, farm, labor"
    ),
    "issue": _phrases(
        "the budget/budget, the border dispute/border dispute, fishing rights, water rights, a trade pact/trade pact,"
        "nuclear waste, tax reform, visa rules, pension cuts, the peace plan/peace plan, election rules, arms sales"
    ),
    "law": _phrases(
        "smoking in public places/smoking, hunting of wolves/wolf hunting, plastic bags, foreign adoptions,"
        "tobacco advertising, night flights, used cars from abroad/used cars, racing, clearing of old forests/logging"
    ),
    "vehicle": _phrases("passenger train/train, school bus/bus, ferry, cargo plane/plane, tanker, helicopter, truck"),
    "site": _phrases(
        "chemical plant, coal mine, textile factory, oil refinery, shopping center, hotel, warehouse, toy factory"
    ),
    "works": _phrases(
        "bridge, airport, railway line/railway, hospital, dam, harbor, power station, stadium, highway, tunnel, museum"
    ),
    "storm": _phrases("storm, flood, blizzard, landslide, earthquake, tornado, hailstorm, forest fire/fire"),
    "crime": _phrases(
        "bribery, tax fraud, murder, kidnapping, drug smuggling, arson, spying, bank robbery, perjury, embezzlement"
    ),
    "jobless": _phrases(
        "miners, teachers, nurses, pilots, dockers, postal workers, bus drivers, farmers, steelworkers"
    ),
    "demand": _phrases("higher wages/pay, safer working conditions/safety, shorter hours, unpaid wages, job cuts"),
    "sport": _phrases("football, tennis, chess, cycling, hockey, rowing, basketball, swimming, volleyball, ski"),
    "stage": _phrases("final, semifinal, quarterfinal, opening round/opener, second round"),
    "score": _phrases("#-#, ##-##, ##-#"),
    "illness": _phrases("cholera, malaria, measles, bird flu, typhoid, swine fever, yellow fever, polio, rabies"),
    "finding": _phrases(
        "a buried temple/temple, a royal tomb/tomb, a new moth species/moth species, a sunken galleon/galleon,"
        "fossils of a giant lizard/lizard fossils, a rare orchid/orchid, a hoard of silver coins/silver coins"
    ),
    "show": _phrases("film festival, book fair, jazz festival, air show, opera season, flower show, film prize"),
    "rate": _phrases(
        "inflation, unemployment, industrial output, the trade deficit/trade deficit, consumer spending, car sales,"
        "house prices, foreign debt, tax revenue, retail sales, farm income"
    ),
    "beast": _phrases("elephant, bear, tiger, whale, wolf, crocodile, rhino, leopard, seal, eagle"),
}

# A kind, what the {did} of its articles and headlines is, an article and a headline.
_EVENTS = """
    business: agreed to buy/to buy, offered to buy/bids for, completed its purchase of/buys, tried to take over/eyes
    {co} , a {size} {trade} company based in {town} , {did} its rival {co2} {day} for {money} crowns
    {CO} {DID} rival {CO2} for {MONEY}

    business: will cut/to cut, has cut/cuts, would eliminate/to eliminate, planned to shed/sheds
    the {size} {trade} company {co} {did} {many} jobs at its main works in {town}
    {CO} {DID} {MANY} jobs in {TOWN}

    business: rose/rises, climbed/climbs, fell/falls, dropped/drops, jumped/jumps, plunged/plunges, slipped/slips
    net profit at {co} , the {size} {trade} firm from {nation} , {did} {percent} {when}
    {NATION} {TRADE} {CO} 's profit {DID} {PERCENT}

    business: opened/opens, closed/closes, sold/sells, began building/builds, will expand/to expand
    the {trade} company {co} , one of the biggest employers in {nation} , {did} a {goods} plant in {town} {day}
    {CO} {DID} {GOODS} plant in {TOWN}

    business: named/names, appointed/appoints, hired/hires, dismissed/fires, lost/loses
    {co} , which owns {few} {trade} companies in {nation} , {did} {first} {last} as its chief executive {day}
    {CO} {DID} {LAST} as chief executive

    business: signed/signs, won/wins, lost/loses, canceled/cancels, renewed/renews
    the {size} company {co} {did} a contract worth {money} crowns {day} to supply {goods} to {nation}
    {CO} {DID} {MONEY} {NATION} {GOODS} contract

    economy: rose/up, fell/down, increased/up, declined/down, surged/up sharply, dipped/down slightly
    {rate} in {nation} {did} {percent} {when} from a year earlier
    {RATE} in {NATION!} {DID} {PERCENT}

    economy: raised/raises, lowered/lowers, left unchanged/keeps, cut/cuts
    the central bank of {nation} {did} its key interest rate at a meeting {day} to respond to a change in {rate}
    {NATION} central bank {DID} interest rate

    economy: rose/rise, fell/fall, soared/soar, tumbled/tumble, recovered/recover
    prices of {goods} {did} {percent} {day} at the exchange in {town} , where most exports of {nation} are traded
    {GOODS} prices {DID} {PERCENT} in {TOWN}

    politics: resigned/resigns, stepped down/steps down, was dismissed/is fired, refused to resign/refuses to resign
    the {ministry} minister of {nation} , {first} {last} , {did} {day} in a dispute over {issue}
    {NATION} {MINISTRY} minister {DID} over {ISSUE}

    politics: arrived in/visits, flew to/heads for, left for/leaves for, ended a visit to/ends visit to
    {ministry} minister {first} {last} of {nation} {did} {nation2} {day} for {few} days of talks on {issue}
    {NATION} minister {DID} {NATION2!} for {ISSUE} talks

    politics: banned/bans, backed a ban on/backs ban on, rejected a ban on/rejects ban on, eased a ban on/eases ban on
    the parliament of {nation} {did} {law} {day} in a vote of ### to ##
    {NATION} parliament {DID} {LAW}

    politics: resumed/resume, began/begin, broke off/break off, postponed/postpone, agreed to hold/to hold
    {nation} and {nation2} {did} talks on {issue} {day} in the neutral town of {town}
    {NATION!} {NATION2!} {DID} talks on {ISSUE}

    politics: won/wins, lost/loses, narrowly won/narrowly wins
    {first} {last} , once mayor of {town} , {did} the presidential election in {nation} {day} with {percent} of votes
    {LAST} {DID} presidential election in {NATION!}

    politics: accused/accuses, warned/warns, praised/praises, criticized/criticizes
    the government of {nation} {did} {nation2} {day} over {issue} , the subject of a meeting in {town}
    {NATION!} {DID} {NATION2!} over {ISSUE}

    disaster: killed/kills, injured/injures, trapped/traps, drove out/drives out
    a {storm} that struck the hills around {town} in the south of {nation} {did} {many} people {day}
    {STORM} {DID} {MANY} in {NATION!}

    disaster: collided with/collides with, crashed into/crashes into, struck/hits, ran into/runs into
    a {vehicle} that was carrying {many} people to {town2} {did} a {vehicle2} near {town} {day}
    {VEHICLE} {DID} {VEHICLE2} near {TOWN}

    disaster: destroyed/destroys, damaged/damages, swept through/sweeps through, broke out at/breaks out at
    a fire that started in a store room {did} a {site} in the old quarter of {town} {day} , where {many} people worked
    fire {DID} {SITE} in {TOWN}

    disaster: were rescued/rescued, were found alive/found alive, were missing/missing, died/dead
    {many} people {did} {day} after an explosion at a {site} near {town} in {nation}
    {MANY} {DID} after {SITE} explosion in {NATION!}

    court: arrested/arrest, questioned/question, charged/charge, released/release
    police in {town} {did} {first} {last} , the head of the {trade} company {co} , {day} on suspicion of {crime}
    {TOWN} police {DID} {CO} head over {CRIME}

    court: was sentenced/gets, could be sentenced/faces
    a former {ministry} minister of {nation} , {first} {last} , {did} {day} to {few} years in prison for {crime}
    {NATION} ex-minister {DID} {FEW} years for {CRIME}

    court: acquitted/acquits, convicted/convicts, cleared/clears
    a court in {town} {did} the banker {first} {last} of {crime} {day} in a trial that lasted {few} months
    court {DID} banker {LAST} of {CRIME}

    court: escaped from/escape from, took over/seize, set fire to/burn, rioted at/riot at
    {many} prisoners {did} a crowded jail {day} in {town} , where suspects of {crime} are held
    {MANY} prisoners {DID} {TOWN} jail

    labor: went on strike/strike, walked off the job/walk off job, marched/march, threatened to strike/threaten strike
    {many} {jobless} {did} {day} in {town} and other towns of {nation} in a dispute over {demand}
    {NATION} {JOBLESS} {DID} over {DEMAND}

    labor: ended/end, suspended/suspend, extended/extend, called off/call off
    {jobless} in {nation} {did} a {few}-week strike over {demand} {day}
    {NATION} {JOBLESS} {DID} strike over {DEMAND}

    sport: beat/beats, defeated/defeats, crushed/crushes, upset/upsets, edged/edges
    {first} {last} of {nation} {did} {first2} {last2} {score} {day} in the {stage} of the {sport} tournament in {town}
    {LAST} {DID} {LAST2} in {TOWN} {SPORT} {STAGE}

    sport: won/wins, reached/reaches, missed/misses, dominated/dominates
    {nation} {did} the {stage} of the world {sport} championship {day} by a score of {score} over {nation2}
    {NATION!} {DID} world {SPORT} {STAGE}

    sport: will miss/to miss, withdrew from/out of, returned for/back for
    the captain of the {sport} team of {nation} , {first} {last} , {did} the {stage} in {town} {day} with a bad knee
    {NATION} captain {LAST} {DID} {SPORT} {STAGE}

    science: discovered/discover, found/find, unearthed/unearth, photographed/photograph
    scientists from {nation} {did} {finding} {day} on a hillside above {town} , {few} years after they began to dig
    {NATION} scientists {DID} {FINDING} near {TOWN}

    science: killed/kills, infected/infects, spread to/spreads to, sickened/sickens
    an outbreak of {illness} in the region of {town} {did} {many} people {when} , health workers in {nation} found
    {ILLNESS} outbreak {DID} {MANY} in {NATION!}

    science: developed/develop, tested/test, withdrew/withdraw, approved/approve
    researchers at the university of {town} {did} a vaccine against {illness} {day} with money from {co}
    {TOWN} researchers {DID} {ILLNESS} vaccine

    culture: opened/opens, won/wins, boycotted/boycotts, left/leaves
    the director {first} {last} , who was born in {nation} , {did} the {show} in {town} {day} before {many} guests
    director {LAST} {DID} {TOWN} {SHOW}

    culture: escaped from/escapes from, died at/dies at, was stolen from/stolen from
    a rare {beast} that {nation} gave to the town {few} years ago {did} the zoo of {town} {day}
    rare {BEAST} {DID} {TOWN} zoo

    works: opened/opens, approved/approves, delayed/delays, scrapped/scraps, began work on/begins work on
    the government of {nation} {did} a {works} near {town} {day} that cost {money} crowns
    {NATION!} {DID} {MONEY} {WORKS} near {TOWN}
"""
# Of each kind, sources and circumstances; any kind may have the last ones.
_ASIDES = {
    "business": (
        "a company spokesman, the chief executive, analysts, a person close to the talks, the company, union leaders",
        "as part of a plan to reduce costs, amid weak demand at home, after months of secret talks,"
        "despite protests from shareholders, in a move that surprised investors, to strengthen its position abroad",
    ),
    "economy": (
        "the statistics office, economists, the central bank, traders, government figures",
        "amid fears of a recession, after a long drought, because of a weak currency, despite new taxes on imports,"
        "as exporters found new markets, in a sign that the crisis may be over",
    ),
    "politics": (
        "a government spokesman, state television, diplomats, opposition leaders, senior officials, the news agency",
        "after a week of angry protests, amid pressure from voters, despite a threat of sanctions,"
        "ahead of a regional summit, in a sudden change of policy, to calm fears among allies",
    ),
    "disaster": (
        "rescue workers, police, witnesses, hospital officials, local radio, the fire department",
        "after heavy rain overnight, in dense fog, as most people slept, in the worst accident of its kind in years,"
        "cutting off roads and power, despite repeated safety warnings",
    ),
    "court": (
        "police, prosecutors, a court clerk, defense lawyers, the justice ministry, local newspapers",
        "after a long investigation, in a case that shocked the country, despite appeals by human rights groups,"
        "following a tip from a neighbor, on the evidence of a secret witness",
    ),
    "labor": (
        "union leaders, employers, organizers, the labor ministry, state radio",
        "after wage talks failed, in the biggest protest for years, despite a court order, amid rising food prices,"
        "causing long delays for travelers",
    ),
    "sport": (
        "organizers, team officials, the coach, the federation, sports daily the arena",
        "before a crowd of ##,###, in pouring rain, to the delight of home fans, after a slow start,"
        "on the last day of a poor season",
    ),
    "science": (
        "the health ministry, researchers, the university, a medical journal, doctors, the academy of sciences",
        "after years of failed attempts, in a remote valley, despite a shortage of funds, to the surprise of experts,"
        "as winter approached",
    ),
    "culture": (
        "organizers, the mayor, a spokeswoman, the local newspaper, visitors, the culture ministry",
        "to the surprise of visitors, amid tight security, despite a dispute about money, on a rainy night,"
        "as hundreds of children watched",
    ),
    "works": (
        "the transport ministry, engineers, officials, the mayor, environmental groups",
        "after years of delay, despite protests from residents, to ease traffic in the region,"
        "with a loan from foreign banks, amid concern about the budget",
    ),
}
_SAID = ("{source} said", "according to {source}", "{source} said in a statement", "{source} confirmed")
_BLOCKS = [[line.strip() for line in block.strip().splitlines()] for block in _EVENTS.split("\n\n")]


def _slots(rng: random.Random) -> dict[str, str]:
    values: dict[str, str] = {}
    for slot, pairs in {**_SLOTS, "vehicle2": _SLOTS["vehicle"]}.items():
        taken = values.get(slot.removesuffix("2")) if slot.endswith("2") else None
        article, headline = rng.choice([pair for pair in pairs if pair[0] != taken])
        values |= {slot: article, slot.upper(): headline}
        values[f"{slot.upper()}!"] = article  # a headline's nation as a noun
    values |= zip(("first", "first2"), rng.sample(_GIVEN, 2), strict=True)
    values |= zip(("last", "last2"), rng.sample(_FAMILY, 2), strict=True)
    for slot, (name, _) in zip(("co", "co2"), rng.sample(_FIRMS, 2), strict=True):
        values |= {slot: f"{name} {rng.choice(_SUFFIXES)}", slot.upper(): name}
    return values | {"LAST": values["last"], "LAST2": values["last2"]}


def _write(rng: random.Random) -> tuple[str, str]:
    """One article and its headline."""
    head, article, headline = rng.choice(_BLOCKS)
    kind, _, verbs = head.partition(":")
    values = _slots(rng)
    values["did"], values["DID"] = rng.choice(_phrases(verbs))
    sources, circumstances = _ASIDES[kind]
    values["source"] = rng.choice(_phrases(sources))[0]
    circumstance = rng.choice(_phrases(circumstances))[0]
    after = f", {circumstance}" if " where " in article else circumstance

    reported = rng.choice(_SAID)
    form = rng.randrange(4)
    if form == 0:
        article = f"{{source}} said {{day}} that {article.replace(' {day}', '')} {after}"
    elif form == 1:
        article = f"{circumstance} , {article} , {reported}"
    elif form == 2:
        article = f"{article} {after} , {reported}"
    else:
        article = f"{article} , {reported}"
    return _fill(article + " .", values), _fill(headline, values)


def _fill(template: str, values: dict[str, str]) -> str:
    text = re.sub(r"\{(.*?)\}", lambda slot: values[slot[1]], template)
    return re.sub(r"\ba (?=[aeiou])", "an ", " ".join(text.split()))


def _draw(seed: int) -> tuple[list[tuple[str, str]], list[str]]:
    """All pairs of article and headline, and the titles; no two headlines are the same."""
    rng = random.Random(seed)
    drawn: dict[str, str] = {}
    while len(drawn) < sum(SPLIT_SIZES.values()) + NUM_TITLES:
        document, summary = _write(rng)
        lengths = len(document.split()), len(summary.split())
        fits = all(low <= n <= high for n, (low, high) in zip(lengths, (DOCUMENT_WORDS, SUMMARY_WORDS), strict=True))
        if fits:
            drawn.setdefault(summary, document)
    pairs = [(document, summary) for summary, document in drawn.items()]
    return pairs[:-NUM_TITLES], [summary for _, summary in pairs[-NUM_TITLES:]]


def build_news(seed: int = 0) -> DatasetDict:
    """Builds the corpus: 4 000 training, 300 validation and 300 test articles with their headlines.

    Texts are tokenized in Gigaword's manner, lower-cased, with `#` for each digit: articles of 15 to 35 words,
    headlines of 5 to 10. No two headlines are the same, nor is one of `build_titles` with the same seed.

    Args:
        seed: which are drawn. The same seed gives the same corpus.

    Returns:
        A `DatasetDict` with the splits `train`, `validation` and `test`, and the columns `document` and `summary`
        (`Value("string")`).
    """
    pairs, _ = _draw(seed)
    features = Features({"document": Value("string"), "summary": Value("string")})
    corpus = DatasetDict()
    for split, size in SPLIT_SIZES.items():
        rows, pairs = pairs[:size], pairs[size:]
        columns = {"document": [document for document, _ in rows], "summary": [summary for _, summary in rows]}
        corpus[split] = Dataset.from_dict(columns, features=features)
    return corpus


def build_titles(seed: int = 0) -> list[str]:
    """3 000 headlines of other events than those of `build_news` with the same seed, for learning without pairs."""
    return _draw(seed)[1]
