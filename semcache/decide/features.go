package decide

import "math"

// WordVectors writes the unit vector of a word into dst, which has the table's
// dimension, and says whether there is one. It is a pure function.
type WordVectors func(dst []float32, word string) bool

// GramJaccard is the Jaccard similarity of the two texts' character 4-grams.
func GramJaccard(a, b *Text) float64 { return jaccard(a.grams, b.grams) }

// Features is what the model weighs of a pair, in the order of FeatureNames. What
// has two sides is given as the smaller and the larger, so that the order of the
// two prompts does not matter.
type Features [numFeatures]float32

// The features. The order is that of the checked-in parameters: fit again after a
// change, and raise FeaturesVersion.
const (
	fSimilarity     = iota // cosine of the embedder's vectors
	fOverlapMin            // share of the rarity of content words that the other side has; the smaller
	fOverlapMax            // the larger
	fSoftMin               // the same, where an unmatched word counts by its nearest vector
	fSoftMax               //
	fGrams                 // Jaccard of character 4-grams
	fBigrams               // Jaccard of pairs of neighbouring stems, function words too
	fLoneMin               // unmatched content words
	fLoneMax               //
	fLoneRarityMin         // their summed rarity
	fLoneRarityMax         //
	fLoneRarestMin         // the rarest of them
	fLoneRarestMax         //
	fLoneStopMin           // unmatched function words
	fLoneStopMax           //
	fLoneGenericMin        // unmatched words such as best, way
	fLoneGenericMax        //
	fLoneUnknownMin        // unmatched words that are not among the frequent ones
	fLoneUnknownMax        //
	fNearestMin            // the least cosine of an unmatched content word with its nearest on the other side; 1 without any
	fNearestMean           // its mean, by rarity
	fBestPair              // the greatest cosine between unmatched words of both sides; 0 unless both have any
	fRestCosine            // cosine of the sums of both sides' unmatched words; 0 unless both have any
	fRestWeight            // cosine of an only side's unmatched words with the text it was added to
	fFrame                 // one word in another's place, neighbours equal
	fFrameCosine           // the cosine of the two; 0 without such
	fFrameRarityMin        // the rarity of the two
	fFrameRarityMax        //
	fPrefix                // how many words from the start are equal, of the shorter
	fSuffix                // how many from the end
	fInversions            // neighbouring matched words in the other order, of all matched
	fTypos                 // matches by a slip
	fRoots                 // matches by a common root
	fWordsMin              // number of words
	fWordsMax              //
	fWordsRatio            // shorter by longer
	fContentMin            // content words
	fContentMax            //
	fQuestionSame          // the same kind of answer is asked for
	fQuestionClosed        // how many of both ask for one kind of answer only
	fWhether               // one asks yes or no, the other does not
	fHow                   // one asks how, the other does not
	fWhy                   // one asks why, the other does not
	fSelf                  // only one speaks of the one who asks
	fModal                 // words such as can, should, will on one side only
	fTense                 // past on one side only
	fFirstStem             // the first content word is matched to the first
	fLastStem              // the last content word is matched to the last
	fHeadRarity            // rarity of the rarest word that both have
	fBothNames             // names that both have
	fSentences             // sentences more on one side
	fDoubtScope            // doubts of the guards, with how much was found
	fDoubtForm             //
	fDoubtTime             //
	fDoubtQuestion         //
	fDoubtSubst            //
	fDoubtNegation         //
	fDoubtEntity           //
	fLearned               // the network's comparison of the two vectors
	fStaticCosine          // cosine by rarity of both sides' content words
	numFeatures
)

// FeaturesVersion is of the list above.
const FeaturesVersion = 1

// LearnedFeature is the index of the learned similarity, which [Measure] leaves out.
const LearnedFeature = fLearned

// FeatureNames are the features' names, in order, for explain.
var FeatureNames = [numFeatures]string{
	"similarity", "overlap_min", "overlap_max", "soft_min", "soft_max", "grams", "bigrams", "lone_min", "lone_max", "lone_rarity_min", "lone_rarity_max",
	"lone_rarest_min", "lone_rarest_max", "lone_stop_min", "lone_stop_max", "lone_generic_min", "lone_generic_max", "lone_unknown_min", "lone_unknown_max",
	"nearest_min", "nearest_mean", "best_pair", "rest_cosine", "rest_weight", "frame", "frame_cosine", "frame_rarity_min", "frame_rarity_max", "prefix", "suffix",
	"inversions", "typos", "roots", "words_min", "words_max", "words_ratio", "content_min", "content_max", "question_same", "question_closed", "whether", "how", "why",
	"self", "modal", "tense", "first_stem", "last_stem", "head_rarity", "both_names", "sentences", "doubt_scope", "doubt_form", "doubt_time", "doubt_question",
	"doubt_substitution", "doubt_negation", "doubt_entity", "learned", "static_cosine",
}

// side is what one text of a pair adds to the features.
type side struct {
	lone, stop, generic, unknown, content int
	rarity, rarest, matched, soft, total  float64
	nearestMin, nearestSum                float64
	self                                  bool
	rest, all                             []float32 // sums of vectors by rarity: of unmatched words, of all
}

// Measure computes the features of a pair from what the guards left behind, the
// similarity of the two, and the vectors of their words. The learned similarity is
// the model's to add.
func Measure(asked, stored *View, v *Verdict, similarity float64) Features {
	var f Features
	al := v.align
	ma, mb := asked.words, stored.words
	dim := len(asked.sentence)
	a, b := measureSide(al.a, al.b, al.toB, ma, mb, dim), measureSide(al.b, al.a, al.toA, mb, ma, dim)
	put := func(at int, x, y float64) { f[at], f[at+1] = float32(min(x, y)), float32(max(x, y)) }
	f[fSimilarity] = float32(similarity)
	put(fOverlapMin, share(a.matched, a.total), share(b.matched, b.total))
	put(fSoftMin, share(a.soft, a.total), share(b.soft, b.total))
	f[fGrams] = float32(jaccard(al.a.grams, al.b.grams))
	f[fBigrams] = float32(jaccard(stemPairs(al.a), stemPairs(al.b)))
	put(fLoneMin, float64(a.lone), float64(b.lone))
	put(fLoneRarityMin, a.rarity, b.rarity)
	put(fLoneRarestMin, a.rarest, b.rarest)
	put(fLoneStopMin, float64(a.stop), float64(b.stop))
	put(fLoneGenericMin, float64(a.generic), float64(b.generic))
	put(fLoneUnknownMin, float64(a.unknown), float64(b.unknown))
	f[fNearestMin] = float32(min(a.nearestMin, b.nearestMin))
	f[fNearestMean] = float32(share(a.nearestSum+b.nearestSum, a.rarity+b.rarity))
	if a.lone > 0 && b.lone > 0 {
		f[fBestPair] = bestPair(al, ma, mb)
		f[fRestCosine] = cosine(a.rest, b.rest)
	} else if a.lone > 0 {
		f[fRestWeight] = cosine(a.rest, b.all)
	} else if b.lone > 0 {
		f[fRestWeight] = cosine(b.rest, a.all)
	}
	f[fStaticCosine] = cosine(a.all, b.all)
	frame(&f, al, ma, mb)
	order(&f, al)
	put(fWordsMin, float64(len(al.a.Words)), float64(len(al.b.Words)))
	f[fWordsRatio] = float32(share(float64(f[fWordsMin]), float64(f[fWordsMax])))
	put(fContentMin, float64(a.content), float64(b.content))
	kinds(&f, al.a, al.b, a.self != b.self)
	f[fDoubtScope] = found(v, GuardScope)
	f[fDoubtForm] = found(v, GuardForm)
	f[fDoubtTime] = found(v, GuardTime)
	f[fDoubtQuestion] = found(v, GuardQuestion)
	f[fDoubtSubst] = found(v, GuardSubstitution)
	f[fDoubtNegation] = found(v, GuardNegation)
	f[fDoubtEntity] = found(v, GuardEntity)
	return f
}

func found(v *Verdict, g Guard) float32 {
	if v.Doubts.Has(g) {
		return float32(v.counts[g])
	}
	return 0
}

// share is x of y; nothing of nothing is all.
func share(x, y float64) float64 {
	if y <= 0 {
		return 1
	}
	return x / y
}

// matrix has a vector for each content word of a text that has one; nil for others.
type matrix [][]float32

func matrixOf(t *Text, dim int, vectors WordVectors) matrix {
	m := make(matrix, len(t.Words))
	if vectors == nil {
		return m
	}
	flat := make([]float32, 0, dim*contentWords(t))
	for i := range t.Words {
		w := &t.Words[i]
		if !w.Content() {
			continue
		}
		row := flat[len(flat) : len(flat)+dim : len(flat)+dim]
		if vectors(row, w.Text) {
			m[i] = row
			flat = flat[:len(flat)+dim]
		}
	}
	return m
}

func measureSide(t, other *Text, to []int16, m, om matrix, dim int) side {
	s := side{nearestMin: 1, rest: make([]float32, dim), all: make([]float32, dim)}
	for i := range t.Words {
		w := &t.Words[i]
		if w.flags.has(flagSelf) {
			s.self = true
		}
		if !w.Content() {
			if to[i] < 0 && w.flags.has(flagStop) {
				s.stop++
			}
			continue
		}
		weight := float64(w.IDF)
		s.content++
		s.total += weight
		addTo(s.all, m[i], w.IDF)
		if to[i] >= 0 {
			s.matched += weight
			s.soft += weight
			continue
		}
		s.lone++
		s.rarity += weight
		s.rarest = max(s.rarest, weight)
		if w.flags.has(flagGeneric) {
			s.generic++
		}
		if !w.Known {
			s.unknown++
		}
		addTo(s.rest, m[i], w.IDF)
		near := 0.0
		for j := range other.Words {
			near = max(near, float64(dot(m[i], om[j])))
		}
		s.soft += weight * near
		s.nearestMin = min(s.nearestMin, near)
		s.nearestSum += weight * near
	}
	return s
}

func bestPair(al *alignment, ma, mb matrix) float32 {
	best := float32(0)
	for i := range ma {
		for j := range mb {
			if al.toB[i] < 0 && al.toA[j] < 0 {
				best = max(best, dot(ma[i], mb[j]))
			}
		}
	}
	return best
}

// frame measures one word in another's place, anywhere in the texts: the first such.
func frame(f *Features, al *alignment, ma, mb matrix) {
	for i := range al.a.Words {
		if al.toB[i] >= 0 || !al.a.Words[i].Content() {
			continue
		}
		for j := range al.b.Words {
			if al.toA[j] >= 0 || !al.b.Words[j].Content() || !sameFrame(al, i, j) {
				continue
			}
			f[fFrame]++
			f[fFrameCosine] = dot(ma[i], mb[j])
			x, y := al.a.Words[i].IDF, al.b.Words[j].IDF
			f[fFrameRarityMin], f[fFrameRarityMax] = min(x, y), max(x, y)
		}
	}
}

// order measures where the matched words stand.
func order(f *Features, al *alignment) {
	a, b := al.a.Words, al.b.Words
	n := min(len(a), len(b))
	prefix, suffix := 0, 0
	for prefix < n && a[prefix].Stem == b[prefix].Stem {
		prefix++
	}
	for suffix < n && a[len(a)-1-suffix].Stem == b[len(b)-1-suffix].Stem {
		suffix++
	}
	f[fPrefix], f[fSuffix] = float32(share(float64(prefix), float64(n))), float32(share(float64(suffix), float64(n)))
	matched, names := 0, 0
	first, last := -1, -1
	for i := range a {
		if !a[i].Content() {
			continue
		}
		if first < 0 {
			first = i
		}
		last = i
		if al.toB[i] >= 0 {
			matched++
			f[fHeadRarity] = max(f[fHeadRarity], a[i].IDF)
			if a[i].Proper || b[al.toB[i]].Proper {
				names++
			}
			switch al.howA[i] {
			case byTypo:
				f[fTypos]++
			case byRoot:
				f[fRoots]++
			case unmatched, byStem, byJoin, byAcronym:
			}
		}
	}
	f[fBothNames] = float32(names)
	f[fInversions] = float32(al.inversions()) / float32(max(matched, 1))
	firstB, lastB := -1, -1
	for j := range b {
		if b[j].Content() {
			if firstB < 0 {
				firstB = j
			}
			lastB = j
		}
	}
	f[fFirstStem] = truth(first >= 0 && firstB >= 0 && int(al.toB[first]) == firstB)
	f[fLastStem] = truth(last >= 0 && lastB >= 0 && int(al.toB[last]) == lastB)
}

func kinds(f *Features, a, b *Text, self bool) {
	one := func(q question) float32 { return truth((a.asks == q) != (b.asks == q)) }
	f[fQuestionSame] = truth(a.asks == b.asks)
	f[fQuestionClosed] = truth(a.asks.closed()) + truth(b.asks.closed())
	f[fWhether], f[fHow], f[fWhy] = one(askWhether), one(askHow), one(askWhy)
	f[fSelf] = truth(self)
	am, ap := moods(a)
	bm, bp := moods(b)
	f[fModal] = truth(am != bm)
	f[fTense] = truth(ap != bp)
	f[fSentences] = float32(abs(a.sentences - b.sentences))
}

// moods says which modal verbs a text has, as bits, and whether it is in the past.
func moods(t *Text) (modal int, past bool) {
	for i := range t.Words {
		switch t.Words[i].Text {
		case "can", "could", "able":
			modal |= 1
		case "should", "ought", "must", "need":
			modal |= 2
		case "will", "would", "going":
			modal |= 4
		case "may", "might":
			modal |= 8
		case "was", "were", "did", "had":
			past = true
		}
	}
	return modal, past
}

func stemPairs(t *Text) []uint32 {
	out := make([]uint32, 0, len(t.Words)+1)
	before := uint32(0)
	for i := range t.Words {
		h := uint32(2166136261)
		for _, c := range []byte(t.Words[i].Stem) {
			h = (h ^ uint32(c)) * 16777619
		}
		out = append(out, before*31+h)
		before = h
	}
	return sortUnique(append(out, before*31))
}

func truth(b bool) float32 {
	if b {
		return 1
	}
	return 0
}

// addTo adds v, times weight, to sum. Products are rounded before they are added, so
// that no machine fuses the two.
func addTo(sum, v []float32, weight float32) {
	for i := range v {
		sum[i] += float32(v[i] * weight)
	}
}

func dot(a, b []float32) float32 {
	if a == nil || b == nil {
		return 0
	}
	var s0, s1, s2, s3 float32
	b = b[:len(a)]
	i := 0
	for ; i+4 <= len(a); i += 4 {
		s0 += float32(a[i] * b[i])
		s1 += float32(a[i+1] * b[i+1])
		s2 += float32(a[i+2] * b[i+2])
		s3 += float32(a[i+3] * b[i+3])
	}
	for ; i < len(a); i++ {
		s0 += float32(a[i] * b[i])
	}
	return s0 + s1 + s2 + s3
}

func cosine(a, b []float32) float32 {
	n := math.Sqrt(float64(dot(a, a))) * math.Sqrt(float64(dot(b, b)))
	if n == 0 {
		return 0
	}
	return float32(float64(dot(a, b)) / n)
}
