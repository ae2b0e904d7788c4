package semcache

// Forget deletes the entry of k.
func (c *Cache) Forget(k Key) { c.drop(&k) }
