package decide

import "strings"

// listOpposites are pairs of which one may not be exchanged for the other. Stems are
// compared, so one form of each is enough. This project's own list.
const listOpposites = `
on off|enable disable|enable deactivate|activate deactivate|allow deny|allow forbid|allow block|allow prevent|permit forbid|permit prohibit|grant revoke|accept reject|accept refuse|accept decline|approve reject|approve deny
open close|start stop|begin end|start finish|start end|pause resume|lock unlock|mute unmute|follow unfollow|subscribe unsubscribe|install uninstall|mount unmount|load unload|pack unpack|zip unzip|wrap unwrap
connect disconnect|attach detach|bind unbind|link unlink|plug unplug|join leave|join split|enter exit|enter leave|login logout|login log-out|sign-in sign-out|checkin checkout|check-in check-out
add remove|add delete|add subtract|create delete|create destroy|create remove|insert delete|insert remove|push pop|push pull|upload download|import export|encode decode|encrypt decrypt|compress decompress|compress extract|serialize deserialize|marshal unmarshal
increase decrease|increase reduce|increase lower|raise lower|raise reduce|rise fall|rise drop|grow shrink|expand contract|expand shrink|gain lose|gain loss|win lose|win loss|profit loss|maximize minimize|maximum minimum|max min|upgrade downgrade|scale-up scale-down|inflate deflate|boost reduce|accelerate decelerate|speed slow|strengthen weaken|widen narrow|lengthen shorten|zoom-in zoom-out
high low|higher lower|highest lowest|big small|large small|larger smaller|largest smallest|tall short|long short|longer shorter|longest shortest|wide narrow|deep shallow|thick thin|heavy light|fat thin|fast slow|faster slower|fastest slowest|quick slow|early late|earliest latest|first last|old new|oldest newest|old young|older younger|oldest youngest|ancient modern
good bad|best worst|better worse|positive negative|pro con|pros cons|advantage disadvantage|benefit drawback|benefit risk|benefit harm|strength weakness|success failure|succeed fail|pass fail|safe dangerous|safe unsafe|safe harmful|healthy unhealthy|healthy harmful|easy hard|easy difficult|simple complex|simple complicated|cheap expensive|cheapest dearest|cheapest expensive|cheap costly|rich poor|strong weak|hot cold|warm cool|heat cool|wet dry|humid dry|moist dry|clean dirty|full empty|hard soft|rough smooth|sharp dull|bright dark|light dark|loud quiet|happy sad|love hate|like dislike|like hate|beautiful ugly|smart stupid|smart dumb|intelligent stupid|polite rude|brave coward|honest dishonest
left right|up down|upper lower|top bottom|front back|above below|over under|inside outside|internal external|indoor outdoor|interior exterior|north south|east west|northern southern|eastern western|forward backward|forwards backwards|ahead behind|clockwise counterclockwise|clockwise anticlockwise|horizontal vertical|horizontally vertically|row column|ascending descending|ascend descend|ascent descent|arrive depart|arrival departure|import-tax export-tax|inbound outbound|incoming outgoing|inflow outflow|input output|ingress egress|entrance exit
before after|past future|previous next|last next|prior subsequent|day night|morning evening|morning night|am pm|today tomorrow|today yesterday|tomorrow yesterday|now then|summer winter|spring autumn|sunrise sunset|birth death|born died|alive dead|live die|living dead|temporary permanent|always never|often rarely|sometimes never|everyone nobody|everybody nobody|everything nothing|all none|many few|more less|more fewer|most least|most fewest|majority minority|common rare|frequent rare|usual unusual
buy sell|buyer seller|purchase sell|lend borrow|lender borrower|deposit withdraw|deposit withdrawal|debit credit|asset liability|income expense|revenue cost|revenue expense|earn spend|save spend|invest divest|long-term short-term|bull bear|bullish bearish|supply demand|employer employee|hire fire|landlord tenant|teacher student|doctor patient|parent child|customer vendor|client server|producer consumer|master slave|leader follower|winner loser|attacker defender|plaintiff defendant|host guest|sender receiver|sender recipient|send receive|give take|give receive|teach learn|ask answer|question answer|lead follow|attack defend|hide show|hide reveal|show conceal|find lose|remember forget|agree disagree|appear disappear|trust distrust|believe doubt|confirm deny|admit deny|prove disprove|support oppose|for against|war peace|friend enemy|ally enemy|victory defeat|victim perpetrator|guilty innocent|legal illegal|lawful unlawful|legitimate illegitimate
true false|yes no|valid invalid|correct incorrect|correct wrong|right wrong|accurate inaccurate|possible impossible|able unable|required optional|mandatory optional|compulsory optional|necessary unnecessary|include exclude|including excluding|inclusive exclusive|with without|present absent|present missing|public private|visible hidden|visible invisible|static dynamic|mutable immutable|synchronous asynchronous|sync async|blocking nonblocking|local remote|local global|national international|domestic foreign|domestic international|online offline|virtual physical|digital analog|hardware software|frontend backend|front-end back-end|active inactive|active passive|manual automatic|manually automatically|odd even|singular plural|prime composite|rational irrational|linear nonlinear|discrete continuous|concave convex|acute obtuse|parallel perpendicular|series parallel|vertex edge|numerator denominator|dividend divisor|multiply divide|multiplication division|plus minus|addition subtraction|add divide|add multiply|square root|integral derivative|integrate differentiate|encode-side decode-side|source target|source destination|origin destination|parent child|ancestor descendant|superclass subclass|lhs rhs|prefix suffix|head tail|heads tails|male female|man woman|men women|boy girl|boyfriend girlfriend|husband wife|father mother|dad mom|son daughter|brother sister|uncle aunt|king queen|prince princess|actor actress|he she|his her|him her|bride groom|gentleman lady|nephew niece|grandfather grandmother
attract repel|absorb emit|absorb reflect|freeze melt|freeze thaw|boil freeze|evaporate condense|solid liquid|liquid gas|solid gas|acid base|acidic alkaline|acidic basic|oxidation reduction|oxidize reduce|anode cathode|endothermic exothermic|aerobic anaerobic|systolic diastolic|artery vein|arteries veins|inhale exhale|hyperglycemia hypoglycemia|hypertension hypotension|hyperthyroidism hypothyroidism|benign malignant|chronic acute|inpatient outpatient|bacteria virus|bacterial viral|obese underweight|overweight underweight|carnivore herbivore|predator prey|vegetarian carnivorous|introvert extrovert|optimist pessimist|optimistic pessimistic|theist atheist|democrat republican|liberal conservative|capitalism communism|capitalism socialism|democracy dictatorship|urban rural|upstream downstream|offense defense|offensive defensive|fiction nonfiction|formal informal|major minor|undergraduate graduate|undergraduate postgraduate|junior senior|amateur professional|beginner expert|novice expert|maximal minimal|macro micro|macroeconomics microeconomics|wholesale retail|gross net|fixed variable|nominal real|direct indirect|explicit implicit|objective subjective|qualitative quantitative|inductive deductive|theoretical practical|abstract concrete|natural artificial|organic inorganic|raw cooked|fresh stale|ripe unripe|sweet sour|sweet bitter|bake fry|boil fry|single married|single double|widow widower|pregnant postpartum|wake sleep|asleep awake|stand sit|push-up pull-up|load-balanced unbalanced|commit revert|commit rollback|merge split|enqueue dequeue|allocate free|allocate deallocate|acquire release|block unblock|ban unban|archive unarchive|hide unhide|freeze unfreeze|minimize maximize|undo redo|print scan|read write|readable writable|reader writer|get set|get post|listen speak|client-side server-side|cause cure|cause prevent|cause effect|symptom cause|symptom treatment|prevention treatment|prevent treat|lose-weight gain-weight
`

// prefixes that make the opposite of the word they stand before.
var oppositePrefixes = []string{"un", "in", "im", "il", "ir", "dis", "non", "non-", "anti", "anti-", "mis", "de", "a", "counter", "under", "hypo", "post", "pre", "re"}

// notOpposite are words that only look as if they had such a prefix.
const listNotOpposite = `invaluable inflammable inform inside intense intern internet into income indeed instead interest inspire install include increase indent index infer inherit instance
 impress import impact improve impart dispatch display dispose distill discover discuss disease distance decide define delay deliver demand depart depend describe desert deserve design desire detail detect
 develop device repeat report request require research resort respect respond result return reveal review reward again about above across address ahead alive alone along amount another apart around arrive asleep aside
 await award aware away unless until union unit unite universe university misery miss misses recall receive recent record reduce refer reform regard region register relate release remain remark remove render rent
 previous prevent prepare present press pretend prefer premium precise postage poster predict underline understand undergo counterpart acting avoid account accord active adapt adopt adult agent alike amaze arise
 indian indians asking aged agreed asocial repair remake recreate reopen restart resend rewrite rebuild reuse redo reset replay`

var (
	opposites   = makeOpposites()
	notOpposite = func() map[string]bool {
		m := map[string]bool{}
		for w := range strings.FieldsSeq(listNotOpposite) {
			m[w] = true
		}
		return m
	}()
)

func makeOpposites() map[string][]string {
	m := make(map[string][]string, 1000)
	for _, line := range strings.Split(strings.TrimSpace(listOpposites), "\n") {
		for _, pair := range strings.Split(line, "|") {
			x, y, _ := strings.Cut(pair, " ")
			x, y = rootOf(x), rootOf(y)
			m[x] = append(m[x], y)
			m[y] = append(m[y], x)
		}
	}
	return m
}

// opposite says whether two words are each other's opposite, by the list or by a
// prefix that turns one into the other. Both are in lower case.
func opposite(x, y *Word) bool {
	for _, o := range opposites[x.Stem] {
		if o == y.Stem {
			return true
		}
	}
	return opposedByPrefix(x.Text, y.Text) || opposedByPrefix(y.Text, x.Text)
}

func opposedByPrefix(long, short string) bool {
	if len(short) < 4 || len(long) <= len(short) || !strings.HasSuffix(long, short) || notOpposite[long] {
		return false
	}
	p := long[:len(long)-len(short)]
	if len(short) < 5 && len(p) < 3 && p != "un" {
		return false
	}
	for _, q := range oppositePrefixes {
		if p == q {
			return true
		}
	}
	return false
}
