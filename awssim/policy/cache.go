package policy

import "sync"

// maxCached bounds a Cache; what is beyond is parsed anew.
const maxCached = 2000

// Cache parses documents once. Its zero value is ready, and safe for concurrent use.
type Cache struct {
	mu        sync.Mutex
	documents map[string]*Document
}

// Parse is Parse for a document that is likely to be asked for again. The
// document is shared: it must not be changed.
func (c *Cache) Parse(document string) (*Document, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if d, ok := c.documents[document]; ok {
		return d, nil
	}
	d, err := Parse(document)
	if err != nil {
		return nil, err
	}
	if c.documents == nil || len(c.documents) >= maxCached {
		c.documents = map[string]*Document{}
	}
	c.documents[document] = d
	return d, nil
}
