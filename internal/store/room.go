package store

// Free is how many bytes the disk of the store has free for this process; false where that
// cannot be known.
func (s *Store) Free() (uint64, bool) {
	usage, err := s.fs.GetDiskUsage(s.dir)
	return usage.AvailBytes, err == nil
}
