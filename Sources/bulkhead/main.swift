// SPDX-License-Identifier: Apache-2.0

import Console
import Glibc

exit(await runConsole(Array(CommandLine.arguments.dropFirst())))
