
"use strict";

// How hard a password is to guess: a rough estimate, on the cautious side, as people do not draw characters by lot.

// What guessers try first counts as one character each. These are the beginnings of a long list; the server has its own.
const FIRST_GUESSES = /p[a@]ssw[o0]rd|passw|qwert[yz]?|qazwsx|asdfgh?|zxcvbn?|letmein|welcome|admin|login|master|dragon|monkey|iloveyou|(?:19|20)\d\d|йцукен|пароль|gfhjkm/gi;
// Bits for each character, by how many kinds there are: small and large letters, digits, signs.
const BITS = [0, 2.6, 3.2, 3.8, 4.2];
// Fewer bits than these are the levels 1 to 4.
const LEVELS = [22, 32, 44, 60];

function bitsOf(password) {
  // A repeated piece is worth little more than the piece.
  const repeated = /^(.+?)\1+$/su.exec(password);
  const signs = [...(repeated ? repeated[1] : password).replace(FIRST_GUESSES, "\u0000")].map((sign) => sign.codePointAt(0));
  let length = repeated ? 1 : 0;
  for (const [at, sign] of signs.entries()) {
    const step = sign - signs[at - 1];
    // "aaaa", "abcd" and "4321" go on by themselves.
    const foreseen = at > 1 && Math.abs(step) <= 1 && step === signs[at - 1] - signs[at - 2];
    length += foreseen ? 0.2 : 1;
  }
  const kinds = [/\p{Ll}|\p{Lo}/u, /\p{Lu}/u, /\p{Nd}/u, /[^\p{L}\p{Nd}]/u].filter((kind) => kind.test(password)).length;
  return length * BITS[kinds];
}

// 0 for nothing, then 1 (very weak) to 5 (strong).
function strengthOf(password) {
  if (password === "") return 0;
  // Of a very long one the beginning tells enough.
  const bits = bitsOf(password.slice(0, 200));
  const level = LEVELS.findIndex((limit) => bits < limit);
  return level < 0 ? 5 : level + 1;
}
