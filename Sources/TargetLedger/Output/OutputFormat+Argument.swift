//
// OutputFormat+Argument.swift: the forms of rows as flags spell them.
//

import AllocatorAPI
import ArgumentParser

extension OutputFormat: ExpressibleByArgument {}
