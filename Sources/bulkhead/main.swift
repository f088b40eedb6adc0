// SPDX-License-Identifier: Apache-2.0

import Console
import Glibc

// A reader that has gone is told by EPIPE, which printLine takes for a quiet end.
_ = signal(SIGPIPE, SIG_IGN)
exit(await runConsole(Array(CommandLine.arguments.dropFirst())))
