// Who is signed in, and what that allows.
import { createContext, useContext } from "./dom.js";

export const Session = createContext(null);
export const useSession = () => useContext(Session);

/** Whether the roles of the person allow something: `watch`, `inspect`, `calls`, `export`, `act`. */
export const useMay = (permission) => useSession()?.me.permissions.includes(permission) ?? false;
