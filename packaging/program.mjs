/** Detects the system and processor of a program from the first bytes of its file. */

import { closeSync, openSync, readSync } from "node:fs";

const PE = { 0x8664: "win32-x64", 0xaa64: "win32-arm64", 0x014c: "32-bit Windows" };
const ELF = { 62: "linux-x64", 183: "linux-arm64", 3: "32-bit Linux" };
const MACH_O = { 0x01000007: "darwin-x64", 0x0100000c: "darwin-arm64" };

/**
 * Returns the platform in VS Code's form (`win32-x64`), or a description of what else the file is.
 * @param {string} file
 */
export function platformOf(file) {
  const head = beginning(file, 4096);
  const number = (at, size = 4) => (at + size <= head.length ? head.readUIntLE(at, size) : NaN);
  if (head.subarray(0, 2).toString("latin1") === "MZ") {
    const at = number(0x3c);
    if (number(at) !== 0x4550) return "not a 32-bit or 64-bit program for Windows";
    return PE[number(at + 4, 2)] ?? `Windows on processor number ${number(at + 4, 2)}`;
  }
  if (head.subarray(0, 4).toString("latin1") === "\x7fELF") {
    return ELF[number(0x12, 2)] ?? `ELF for processor number ${number(0x12, 2)}`;
  }
  if (number(0) === 0xfeedfacf) return MACH_O[number(4)] ?? `macOS on processor number ${number(4)}`;
  // Java classes begin with the same bytes as Apple's universal programs.
  if (number(0) === 0xbebafeca) return "a universal program for macOS, or a Java class";
  return "not a program";
}

function beginning(file, length) {
  const opened = openSync(file, "r");
  try {
    const bytes = Buffer.alloc(length);
    return bytes.subarray(0, readSync(opened, bytes, 0, length, 0));
  } finally {
    closeSync(opened);
  }
}
