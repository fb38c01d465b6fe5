//
// Module.swift: placeholder until the first test.
//
