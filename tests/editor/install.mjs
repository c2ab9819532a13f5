/** node install.mjs FILE.vsix … : installs extensions into the folder WHYDLL_EXTENSIONS, as a user does "from VSIX". */

import { install } from "./host.mjs";

console.log(await install(process.argv.slice(2)));
