package journal

import (
	"bufio"
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// mapped is how many bytes of a file this process has mapped and in use, by proc_pid_smaps(5).
func mapped(t *testing.T, path string) int {
	t.Helper()
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	found, sum := false, 0
	for lines := bufio.NewScanner(bytes.NewReader(b)); lines.Scan(); {
		name, rest, _ := strings.Cut(lines.Text(), " ")
		switch {
		case !strings.HasSuffix(name, ":"):
			found = strings.HasSuffix(rest, " "+path)
		case found && name == "Rss:":
			kb, err := strconv.Atoi(strings.Fields(rest)[0])
			if err != nil {
				t.Fatal(err)
			}
			sum += kb << 10
		}
	}
	return sum
}

// TestSyncedPagesAreNotMapped looks at what the system has to write-protect, page by page, at each sync.
func TestSyncedPagesAreNotMapped(t *testing.T) {
	opt := testOptions(t.TempDir())
	opt.SegmentBytes, opt.GroupDelay = 16<<20, time.Hour
	j := mustOpen(t, opt)
	entry := strings.Repeat("x", 1000)
	const rounds, each = 4, 1000
	for range rounds {
		for range each {
			mustAppend(t, j, entry)
		}
		if n := mapped(t, j.active.path); n < each*len(entry)-pageSize {
			t.Fatalf("%d bytes of the segment are mapped before they are synced", n)
		}
		if err := j.Sync(context.Background()); err != nil {
			t.Fatal(err)
		}
		if n := mapped(t, j.active.path); n > 4*pageSize {
			t.Errorf("%d bytes of the segment are mapped after they were synced", n)
		}
	}
	got := payloads(t, j)
	if len(got) != rounds*each {
		t.Fatalf("%d entries of %d", len(got), rounds*each)
	}
	for i, p := range got {
		if p != entry {
			t.Fatalf("entry %d is another: %q", i, p)
		}
	}
}
