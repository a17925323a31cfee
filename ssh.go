package weir

// SSHRequest is the part of an SSH request that policy may match on.
type SSHRequest struct {
	// Channel is what was asked for: "exec", "shell", "line" (entered in a shell), "sftp", "scp", "direct-tcpip", "forwarded-tcpip".
	Channel string
	Account string    // login name at the target
	Shell   *ShellUse // of exec and line
	Paths   []string  // files that an sftp or scp operation names, clean and absolute where that can be told
	Write   bool      // the operation changes files
	// Reads are files, or trees of them, whose content a sftp operation with another verb reads as well or gives another name: it is decided on as GET
	// of them, too.
	Reads []string
	// Terminal is the client's, of exec and shell; nil without one. It is recorded with the command.
	Terminal *Terminal
	Address  string // host:port of a forwarded connection; of forwarded-tcpip where the target listens, "*" for all its addresses
}

// Terminal is what a client says of its terminal.
type Terminal struct {
	Type          string // "xterm-256color"
	Columns, Rows uint32 // 0 is unknown
}

// ShellUse is what a shell is told to run. It over-approximates, and says what it cannot tell. Read-only.
type ShellUse struct {
	// Commands are all simple commands: those of pipes and lists, in $(…), behind sudo, env, nohup, xargs and sh -c, too.
	Commands []ShellCommand
	Files    []string // words that name files: arguments and redirections
	Redirect bool     // a redirection reads or writes a file other than /dev/null
	Assign   bool     // a variable is set
	Dynamic  bool     // what is run depends on variables, input, or text made while it runs
	Unclear  string   // why the text could not be read; "" when it could
}

// ShellCommand is one simple command. Words are unquoted; those that hold expansions stand as they are written.
type ShellCommand struct {
	Name  string   // last element of the path of the first word
	Words []string // the first is the command as written
}
