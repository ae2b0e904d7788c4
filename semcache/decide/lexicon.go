package decide

import "strings"

// flag is what the guards know of a word. A word may have several.
type flag uint32

const (
	flagStop        flag = 1 << iota // a function word: carries no subject
	flagAsks                         // begins a question or a request
	flagNegates                      // turns the meaning round
	flagTime                         // a time that depends on when it is asked
	flagPreposition                  // leads an adjunct that may move about
	flagDirects                      // its two sides may not be exchanged
	flagSymmetric                    // its two sides may be exchanged
	flagScope                        // narrows what is asked
	flagSelf                         // the one who asks, or the one asked
	flagGeneric                      // carries little: way, thing, best
	flagDate                         // a month or weekday
	flagForeign                      // a function word of a language other than English
	flagForm                         // the form of an answer: essay, table, one line
)

func (f flag) has(g flag) bool { return f&g != 0 }

// entry is a word of the lists below.
type entry struct {
	flags flag
	canon string // the form that stands for it and its synonyms; "" is the word itself
}

func lookup(word string) flag { return lexicon[word].flags }

// The lists are this project's own. They are generous where an error costs a hit,
// and strict where it costs a wrong answer.
const (
	listStop = `a an the this that these those there here it its it's is am are was were be been being do does did done doing have has had having
 i me my mine we us our you your yours u ur he him his she her they them their theirs one's
 to of in on at by for from with without about into onto over under between among through during before after above below up down off out
 as than then so if or and but nor yet because while when where who whom whose which what why how whether
 can could will would shall should may might must ought need dare not no n't cannot
 very really just also too even only ever still much many more most any some all each every both either neither other another such same own
 get gets getting got please tell let like vs versus etc per via upon against around across toward towards within`
	listAsks = `what whats what's who whos who's whom whose when where which why how hows how's is are am was were do does did can could will would shall should may might must has have had
 explain describe list tell show give write translate convert compare summarize summarise define find calculate compute create make generate name suggest help isn't aren't don't doesn't didn't can't couldn't won't wouldn't shouldn't isnt arent dont doesnt didnt cant wont`
	listNegates = `not no n't never neither nor none nothing nobody nowhere without cannot cant dont doesnt didnt isnt arent wasnt werent wont wouldnt shouldnt couldnt havent hasnt hadnt aint mustnt neednt
 except excluding unless unable forget forgets forgetting fail fails failed failing failure lack lacks lacking avoid avoids avoiding refuse refuses refused refusing stop stops stopped stopping prevent prevents preventing non hardly barely rarely`
	listTime        = `today tonight tomorrow yesterday now currently current latest recent recently newest upcoming nowadays last next previous previously ago later soon already formerly future past`
	listPreposition = `in on at for using with under during of via within inside as per about regarding by`
	listDirects     = `to into than from before after over minus onto against toward towards until versus`
	listSymmetric   = `and or between vs versus both either difference differences differ differs compare compared comparing comparison together similar same common relationship`
	listScope       = `only without except unless excluding including if when while during after before under within per using with for on in at as via until since among despite by over`
	listSelf        = `i i'm im i've ive i'd i'll me my mine myself we we're we've us our ours you your yours u ur you're`
	listGeneric     = `way ways thing things good best better great nice top really actually basically exactly simply easy easily easiest quick quickly quickest fast simple possible
 know mean means meaning use used using does happen happens difference kind kinds type types sort sorts reason reasons people person someone somebody anyone anybody everyone something anything
 want wants like would take takes make makes give gives go goes going think feel try trying come comes see look say says tell tells explain describe list show find keep put help need work works working
 question questions answer answers example examples lot lots part parts able likely right true point main major important actual certain different various several really example quora`
	listForeign = `der die das und ist nicht ein eine wie ich sie wir ihr mit auf für von zu den dem des im wird sind kann mein warum wann wer
 le la les un une est et je tu il elle nous vous des du de que qui dans pour sur avec pas comment pourquoi quand où quel quelle mon ma
 el los las una es y yo ella nosotros que quien cuando donde por para con sin como cómo qué cuál mi
 o os uma é não eu ele você nós quem quando onde como porque qual meu minha
 lo gli uno una è sono io lui lei noi voi che chi dove perché quale mio mia di da per con
 het een en niet ik jij hij zij wij jullie wat waarom wanneer waar hoe mijn van met voor
 jak nie jest czy co gdzie kiedy dlaczego och att det som är inte jag hur varför och ve bir bu ne nasıl için`
	listForm = `code theory essay poem story haiku song joke summary summarize summarise brief briefly short detailed detail details depth overview paragraph sentence sentences bullet bullets table json yaml xml csv markdown html
 timeline outline tutorial script letter tweet speech dialogue beginner beginners simple layman translate translation pseudocode diagram line word words eli5 pros cons`
	listMonths = `january february march april may june july august september october november december jan feb mar apr jun jul aug sep sept oct nov dec`
	listDays   = `monday tuesday wednesday thursday friday saturday sunday mon tue tues wed thu thur thurs fri sat sun`
)

// sameWords are groups of which each word stands for the others. The first names the group.
const listSame = `
usa us u.s u.s.a america american americans states
uk u.k britain british england
uae emirates
eu europe european
india indian indians
china chinese
javascript js ecmascript
typescript ts
python py python3
kubernetes k8s
postgresql postgres psql pg
mongodb mongo
golang go-lang
database databases db dbs
application applications app apps
repository repositories repo repos
configuration configurations config configs configure
environment environments env
authentication auth authenticate authenticating
documentation docs
administrator admin admins
information info
telephone phone phones cellphone smartphone smartphones
photograph photo photos photographs picture pictures pic pics
television tv
automobile car cars automobiles
airplane plane planes aeroplane aircraft
movie movies film films
university universities college colleges
mathematics math maths
examination exam exams
laboratory lab labs
advertisement ad ads advert adverts advertising advertisements
weight wt
money cash
buy purchase purchases purchasing buying bought
begin start starts starting begins beginning began started
end finish finishes finishing ending
large big huge
small little tiny
fast quick rapid quickly quickest fastest rapidly faster quicker
difficult hard tough
error errors bug bugs
delete remove erase deleting removing deleted removed removes deletes
create make build creating making building creates makes builds made built
repair fix fixing fixes repairing
job jobs employment
salary salaries pay wage wages
company companies firm firms corporation
child children kid kids
woman women lady ladies female females
man men guy guys male males
person people persons
wife wives
life lives
doctor doctors physician physicians dr
attorney lawyer lawyers attorneys
illness disease diseases illnesses sickness
medicine medication medicines medications meds
improve enhance improving enhancing
learn study learning studying learns studies
method methods approach approaches technique techniques
happen occur occurs happening occurring happens happened
cost price prices costs
choose select pick choosing selecting
show display displays displaying
error exception
function functions func
directory folder folders directories
email e-mail emails mail
website websites site sites web-site
picture image images
bike bicycle bicycles bikes
percent percentage
favorite favourite favorites
color colour colors colours
`

// listIrregular gives the stem of forms that no suffix rule reaches.
const listIrregular = `went go gone go did do done do was be were be been be are be is be has have had have bought buy brought bring thought think taught teach caught catch
 sold sell told tell said say paid pay made make took take taken take gave give given give got get gotten get came come became become ran run wrote write written write spoke speak spoken speak
 knew know known know grew grow grown grow drew draw drawn draw flew fly flown fly saw see seen see ate eat eaten eat fell fall fallen fall felt feel kept keep left leave lost lose met meet
 sent send spent spend stood stand understood understand won win began begin begun begin drank drink drunk drink drove drive driven drive broke break broken break chose choose chosen choose
 froze freeze hid hide hidden hide rode ride rose rise shook shake sang sing sung sing swam swim threw throw thrown throw wore wear worn wear built build died die dying die lying lie tied tie
 men man women woman children child feet foot teeth tooth mice mouse lives life wives wife leaves leaf better good best good worse bad worst bad further far
 indices index indexes index vertices vertex matrices matrix criteria criterion data data media media analyses analysis theses thesis`

// typos are common misspellings and short forms in chats.
const listShort = `wat what wht what whts what r are u you ur your pls please plz please teh the dose does form form hw how y why wud would shud should cud could bcoz because cuz because coz because
 gonna going wanna want gotta got thx thanks abt about bt but n and w with whats what hows how whos who wheres where whens when whys why im i ive i`

var (
	lexicon   = makeLexicon()
	irregular = pairsOf(listIrregular)
	shortForm = pairsOf(listShort)
)

func makeLexicon() map[string]entry {
	l := make(map[string]entry, 1200)
	for _, x := range []struct {
		list string
		f    flag
	}{
		{listStop, flagStop}, {listAsks, flagAsks}, {listNegates, flagNegates}, {listTime, flagTime}, {listPreposition, flagPreposition},
		{listDirects, flagDirects}, {listSymmetric, flagSymmetric}, {listScope, flagScope}, {listSelf, flagSelf}, {listGeneric, flagGeneric},
		{listForeign, flagForeign}, {listForm, flagForm}, {listMonths, flagDate}, {listDays, flagDate},
	} {
		for w := range strings.FieldsSeq(x.list) {
			e := l[w]
			e.flags |= x.f
			l[w] = e
		}
	}
	for line := range strings.Lines(strings.TrimSpace(listSame)) {
		words := strings.Fields(line)
		for _, w := range words[1:] {
			e := l[w]
			if e.canon == "" {
				e.canon = words[0]
			}
			l[w] = e
		}
	}
	return l
}

func pairsOf(list string) map[string]string {
	f := strings.Fields(list)
	m := make(map[string]string, len(f)/2)
	for i := 0; i+1 < len(f); i += 2 {
		m[f[i]] = f[i+1]
	}
	return m
}
