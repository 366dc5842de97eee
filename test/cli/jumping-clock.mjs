// Preloaded into `npm start -- --serve` by tests: each SIGUSR2 takes its clock to the next full minute, as if it had waited.
const real = Date.now.bind(Date);
let ahead = 0;
Date.now = () => real() + ahead;
process.on('SIGUSR2', () => {
  ahead += 60_000 - (Date.now() % 60_000);
});
