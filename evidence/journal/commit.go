package journal

import (
	"errors"
	"fmt"
	"os"
	"time"
)

// commitLoop syncs groups of entries to the disk until stop is closed.
func (j *Journal) commitLoop() {
	defer close(j.loopDone)
	group, due := time.NewTimer(time.Hour), time.NewTimer(time.Hour)
	group.Stop()
	due.Stop()
	defer group.Stop()
	defer due.Stop()
	armed, told := false, j.dirty // told is nil while it looks by itself whether there is more: to be woken for each group takes longer
	for {
		sign, wait := false, false
		select {
		case <-j.stop:
			return
		case <-j.kick:
			wait = true
		case <-due.C:
			sign, armed = true, false
		case <-told:
			told = nil
			group.Reset(j.opt.GroupDelay)
			continue
		case <-group.C:
			if j.rest() {
				told = j.dirty
				continue
			}
		}
		// An error is kept in j.broken, where every Append finds it.
		_ = j.commit(sign, wait)
		if told == nil {
			group.Reset(j.opt.GroupDelay)
		}
		j.mu.Lock()
		waiting := j.unsigned > 0 && j.broken == nil
		j.mu.Unlock()
		if waiting && !armed {
			due.Reset(j.opt.CheckpointEvery)
			armed = true
		}
	}
}

// rest reports that there is nothing to commit, and has the next Append tell the loop.
func (j *Journal) rest() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.durable != j.seq && j.broken == nil {
		return false
	}
	j.signalled = false
	return true
}

// commit puts everything appended so far on the disk; without wait it may be under way still, and the next commit says that it has come there. With sign, or when there
// are many unsigned entries, it appends a checkpoint first. After an error the journal takes no more entries: what the
// system kept of its pages is unknown then.
func (j *Journal) commit(sign, wait bool) error {
	j.commitMu.Lock()
	defer j.commitMu.Unlock()

	before, written := j.tail.finish()
	j.link()
	j.mu.Lock()
	if written {
		j.durable = before
	}
	if j.broken != nil {
		err := j.broken
		j.announceLocked()
		j.mu.Unlock()
		return err
	}
	if j.unsigned > 0 && (sign || j.unsigned >= j.opt.CheckpointEntries) {
		if err := j.checkpointLocked(); err != nil && !isFull(err) {
			j.broken = err
			j.announceLocked()
			j.mu.Unlock()
			return err
		}
	}
	retired, active, off, seq, line, dir := j.retired, j.active, j.off, j.seq, j.line, j.dirUnsyced
	j.retired, j.dirUnsyced = nil, false
	j.mu.Unlock()

	err := j.syncFiles(retired, active, off, seq, line, dir)
	if err == nil && wait && j.tail.pending() {
		if _, ok := j.tail.finish(); !ok {
			err = j.syncFiles(nil, active, off, seq, line, false)
		}
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	switch {
	case err != nil:
		j.broken = fmt.Errorf("sync journal: %w", err)
	case !j.tail.pending():
		j.durable = seq
	}
	j.announceLocked()
	return j.broken
}

func (j *Journal) announceLocked() {
	close(j.committed)
	j.committed = make(chan struct{})
}

// checkpointLocked signs what is there; when the segment has no room for a checkpoint it is sealed instead.
func (j *Journal) checkpointLocked() error {
	if j.off+entryHeader+statementLen+reserveLen > int64(len(j.active.mem)) {
		return j.rotateLocked()
	}
	return j.stateLocked(Checkpoint)
}

// syncFiles puts the files on the disk. What it leaves under way is in the tail file.
func (j *Journal) syncFiles(retired []*segment, active *segment, off int64, seq uint64, line string, dir bool) error {
	for _, s := range retired {
		if err := j.finish(s); err != nil {
			return err
		}
	}
	state := line != j.stated && line != ""
	if active != nil {
		// The checkpoint file knows only what the segments have, so that they can be verified without the tail file.
		if !state && !dir && j.tail.write(active, off, seq) {
			return nil
		}
		active.loosen(off)
		if err := syncData(active.f); err != nil {
			return err
		}
	}
	if dir {
		if err := syncDir(j.opt.Dir); err != nil {
			return err
		}
	}
	if active != nil {
		if err := active.markSynced(off); err != nil {
			return err
		}
		j.tail.begin(active, off)
		j.wantTail()
	}
	if !state {
		return nil
	}
	// The line has always the same length and lies in one disk block.
	if _, err := j.checkpoint.WriteAt([]byte(line), 0); err != nil {
		return err
	}
	if err := syncData(j.checkpoint); err != nil {
		return err
	}
	j.stated = line
	return nil
}

// finish puts a sealed segment on the disk, cuts it to its length and lets it go.
func (j *Journal) finish(s *segment) error {
	size := int64(-1)
	j.mu.Lock()
	for _, info := range j.infos {
		if info.Number == s.number && info.Sealed {
			size = info.Size
		}
	}
	j.mu.Unlock()
	if size < 0 {
		return fmt.Errorf("finish segment %d: it is not sealed", s.number)
	}
	s.loosen(size)
	if err := syncData(s.f); err != nil {
		return err
	}
	if err := s.markSynced(size); err != nil {
		return err
	}
	if err := s.unmap(); err != nil {
		return err
	}
	if err := s.f.Truncate(size); err != nil {
		return err
	}
	err := s.f.Sync()
	if cerr := s.f.Close(); err == nil {
		err = cerr
	}
	return err
}

// Close seals the journal, puts it on the disk, waits for everything that runs, and lets others open the
// directory. Later calls do nothing.
func (j *Journal) Close() error {
	j.mu.Lock()
	if j.closed {
		j.mu.Unlock()
		return nil
	}
	j.closed = true
	grown := j.grown
	j.grown = nil
	j.mu.Unlock()
	if grown != nil {
		close(grown)
	}
	close(j.stop)
	<-j.loopDone
	j.ahead.Wait()

	err := j.shut()
	j.commitMu.Lock()
	defer j.commitMu.Unlock()
	if err == nil {
		j.removeTail()
	} else {
		j.tail.drop()
	}
	if cerr := j.checkpoint.Close(); err == nil {
		err = cerr
	}
	if cerr := j.lock.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("close journal: %w", err)
	}
	return nil
}

// shut seals the active segment, or removes it when nothing is in it, and syncs the rest.
func (j *Journal) shut() error {
	j.mu.Lock()
	var errs []error
	if j.next != nil {
		errs = append(errs, j.next.discard())
		j.next = nil
	}
	if j.broken == nil && j.count == 0 {
		errs = append(errs, j.active.discard())
		j.infos = j.infos[:len(j.infos)-1]
		j.active, j.dirUnsyced = nil, true
	} else if j.broken == nil {
		if err := j.sealLocked(); err != nil {
			j.broken = err
		} else {
			j.retired = append(j.retired, j.active)
			j.active = nil
		}
	}
	j.mu.Unlock()

	errs = append(errs, j.commit(false, true))
	j.mu.Lock()
	defer j.mu.Unlock()
	// After a failure the rest is let go as it is: recovery at the next Open sees what is there.
	left := j.retired
	if j.active != nil {
		left = append(left, j.active)
	}
	j.retired, j.active = nil, nil
	for _, s := range left {
		errs = append(errs, s.unmap(), s.f.Close())
	}
	return errors.Join(errs...)
}

// isFull reports whether the error is about disk space, which may come back.
func isFull(err error) bool {
	var pe *os.PathError
	return errors.As(err, &pe)
}
