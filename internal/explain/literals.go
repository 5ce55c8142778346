package explain

// literal is a string that rules look for.
type literal struct {
	text  string
	whole bool // no letter or digit may stand beside it
}

// literals finds all strings of all rules in one pass over a text: the automaton
// of Aho and Corasick (1975), its nodes numbered breadth first, so that the
// children of a node lie side by side. It is immutable once built.
type literals struct {
	all   []literal
	ids   map[literal]int32
	nodes []litNode
	root  [256]int32 // the node after one octet; 0: none
}

type litNode struct {
	fail, shorter int32   // the longest proper suffix that is a node; that ends a literal, 0: none
	first         int32   // its first child
	children      int16   // how many it has
	label         byte    // the octet that leads to it
	ends          []int32 // the literals that end here
}

// id returns the number of a literal, which is made when it is new.
func (l *literals) id(x literal) int32 {
	if id, ok := l.ids[x]; ok {
		return id
	}
	if l.ids == nil {
		l.ids = map[literal]int32{}
	}
	id := int32(len(l.all))
	l.ids[x] = id
	l.all = append(l.all, x)
	return id
}

// build makes the automaton of the literals known so far.
func (l *literals) build() {
	type work struct {
		node  int32
		depth int
		ids   []int32 // the literals that begin with the path to the node
	}
	all := make([]int32, len(l.all))
	for i := range all {
		all[i] = int32(i)
	}
	l.nodes = []litNode{{}}
	for queue := []work{{0, 0, all}}; len(queue) > 0; queue = queue[1:] {
		w := queue[0]
		var by [256][]int32
		for _, id := range w.ids {
			if t := l.all[id].text; len(t) == w.depth {
				l.nodes[w.node].ends = append(l.nodes[w.node].ends, id)
			} else {
				by[t[w.depth]] = append(by[t[w.depth]], id)
			}
		}
		first := int32(len(l.nodes))
		l.nodes[w.node].first = first
		for c, ids := range by {
			if len(ids) == 0 {
				continue
			}
			n := int32(len(l.nodes))
			l.nodes = append(l.nodes, litNode{label: byte(c)})
			if w.node == 0 {
				l.root[c] = n
			} else {
				l.nodes[n].fail = l.step(l.nodes[w.node].fail, byte(c))
			}
			queue = append(queue, work{n, w.depth + 1, ids})
		}
		l.nodes[w.node].children = int16(int32(len(l.nodes)) - first)
	}
	for i := range l.nodes[1:] { // breadth first: what is shorter comes before
		n := &l.nodes[i+1]
		if n.shorter = n.fail; len(l.nodes[n.fail].ends) == 0 {
			n.shorter = l.nodes[n.fail].shorter
		}
	}
}

// step returns the node after node and c.
func (l *literals) step(node int32, c byte) int32 {
	for node != 0 {
		n := &l.nodes[node]
		for i := n.first; i < n.first+int32(n.children); i++ {
			if l.nodes[i].label == c {
				return i
			}
		}
		node = n.fail
	}
	return l.root[c]
}

// maxHits bounds the places remembered of one passage.
const maxHits = 8192

// sighting is what of the literals stands in a passage.
type sighting struct {
	all   bits // those in it
	prose bits // those in it outside of URLs
	hits  []hit
}

// hit is a place of a literal; hits are in the order of their ends.
type hit struct {
	lit, at, end int32
	url          bool
}

// bits is a set of literals.
type bits []uint64

func (b bits) has(i int32) bool { return b[i>>6]&(1<<(i&63)) != 0 }
func (b bits) add(i int32)      { b[i>>6] |= 1 << (i & 63) }

// find looks for the literals in text, of which urls are the places of URLs, in
// order.
func (l *literals) find(text string, urls [][]int) sighting {
	n := len(l.all)/64 + 1
	both := make(bits, 2*n)
	s := sighting{all: both[:n], prose: both[n:]}
	node := int32(0)
	for i := 0; i < len(text); i++ {
		node = l.step(node, text[i])
		for x := node; x != 0; x = l.nodes[x].shorter {
			for _, id := range l.nodes[x].ends {
				at := i + 1 - len(l.all[id].text)
				if l.all[id].whole && (at > 0 && wordByte(text[at-1]) || i+1 < len(text) && wordByte(text[i+1])) {
					continue
				}
				for len(urls) > 0 && urls[0][1] <= at {
					urls = urls[1:]
				}
				url := len(urls) > 0 && urls[0][0] < i+1 && at < urls[0][1]
				s.all.add(id)
				if !url {
					s.prose.add(id)
				}
				if len(s.hits) < maxHits {
					s.hits = append(s.hits, hit{id, int32(at), int32(i + 1), url})
				}
			}
		}
	}
	return s
}
