/**
 * node install.mjs FILE.vsix … : installs extensions into the directory WHYDLL_EXTENSIONS, as users
 * do with "Install from VSIX".
 */

import { install } from "./host.mjs";

console.log(await install(process.argv.slice(2)));
