# SPDX-License-Identifier: Apache-2.0
"""Another build of osh for tests of upgrades: the same programs, with other instructions of the same meaning.

`rX = N` is written as the other of the 32-bit and the 64-bit move, the same for every N that is not negative. So every program
of the kernel half has another tag, and the object another hash, and nothing else is different.
"""
import os
import shutil
import struct

from lib import BUILD

ROLES = ("oshctl", "oshd", "osh-front", "osh-launch", "osh-init", "osh-egress", "osh-audit")
MOV64, MOV32, LD_IMM64 = 0xb7, 0xb4, 0x18


def code_sections(elf):
    """(offset, size) of each section with instructions; ELF64, little endian."""
    off, = struct.unpack_from("<Q", elf, 40)
    size, count = struct.unpack_from("<HH", elf, 58)
    for i in range(count):
        kind, flags, _, at, n = struct.unpack_from("<IQQQQ", elf, off + i * size + 4)
        if kind == 1 and flags & 4:     # SHT_PROGBITS, SHF_EXECINSTR
            yield at, n


def rewrite(elf):
    out, n, skip = bytearray(elf), 0, False
    for at, size in code_sections(elf):
        for i in range(at, at + size, 8):
            code, regs, off, imm = struct.unpack_from("<BBhi", elf, i)
            if skip:
                skip = False
                continue
            skip = code == LD_IMM64
            if code in (MOV64, MOV32) and regs < 16 and imm >= 0:
                out[i] = MOV64 ^ MOV32 ^ code
                n += 1
    assert n > 100, n
    return bytes(out)


def make(where):
    """A directory with every program; its oshd loads the other object."""
    os.mkdir(where)
    for r in ROLES:
        shutil.copy2(os.path.join(BUILD, r), os.path.join(where, r))
    elf = open(os.path.join(BUILD, "osh.bpf.o"), "rb").read()
    path = os.path.join(where, "oshd")
    program = open(path, "rb").read()
    assert program.count(elf) == 1, "oshd does not carry build/osh.bpf.o"
    with open(path, "wb") as f:
        f.write(program.replace(elf, rewrite(elf)))
    return path
